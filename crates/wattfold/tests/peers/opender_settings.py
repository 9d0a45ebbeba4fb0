"""EPRI's OpenDER reads a settings file in the common file format and tells what it understood.

Usage: opender_settings.py FILE [NAME=VALUE ...]

Prints one line of JSON: the path of the file that OpenDER ships, what it made of FILE by parameter,
the warnings it gave, and for each NAME=VALUE whether it warns when the parameter is set to the value.
"""

import json
import logging
import pathlib
import sys

import opender
from opender import DERCommonFileFormat


class Warnings(logging.Handler):
    def __init__(self):
        super().__init__(level=logging.WARNING)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def main() -> None:
    warnings = Warnings()
    logging.getLogger().addHandler(warnings)
    shipped = pathlib.Path(opender.__file__).parent / "Parameters" / "AS-with std-values.csv"
    # The ratings of the device are not part of a profile: those of the shipped file.
    ratings = {
        name: value
        for name, value in (
            line.split(",", 1)
            for line in shipped.read_text(encoding="utf-8-sig").splitlines()
        )
        if name in ("NP_P_MAX", "NP_VA_MAX", "NP_Q_MAX_INJ", "NP_Q_MAX_ABS", "NP_P_MAX_CHARGE",
                    "NP_APPARENT_POWER_CHARGE_MAX", "NP_AC_V_NOM")
    }
    given = pathlib.Path(sys.argv[1])
    merged = given.with_suffix(".merged.csv")
    rows = "".join(f"{name},{value}\n" for name, value in ratings.items())
    merged.write_text(given.read_text(encoding="utf-8") + rows, encoding="utf-8")
    file = DERCommonFileFormat(as_file_path=merged)
    understood = {}
    for name in DERCommonFileFormat.parameters_list:
        value = getattr(file, name, None)
        if isinstance(value, (bool, str)) or value is None:
            understood[name] = value
        elif not isinstance(value, dict):
            understood[name] = float(value)
    given_warnings = list(warnings.messages)
    probes = []
    for probe in sys.argv[2:]:
        name, value = probe.split("=")
        before = getattr(file, name)
        warnings.messages.clear()
        setattr(file, name, float(value))
        probes.append([name, value, bool(warnings.messages)])
        setattr(file, "_" + name, before)
    print(json.dumps({
        "shipped": str(shipped),
        "understood": understood,
        "warnings": given_warnings,
        "probes": probes,
    }))


if __name__ == "__main__":
    main()
