"""cactus-client's own command line. `--hurry SECONDS ROUNDS` before its arguments makes the
procedures that simulate a client over days do that many rounds, one every so many seconds."""

import sys

from cactus_client.cli.main import cli_entrypoint
from cactus_client.execution import build


def hurried(get_test_procedure, every, rounds):
    def get(procedure):
        procedure = get_test_procedure(procedure)
        for step in procedure.steps:
            if step.action.type == "simulate-client":
                step.action.parameters["frequency_seconds"] = every
                step.action.parameters["total_simulations"] = rounds
        return procedure

    return get


if sys.argv[1] == "--hurry":
    every, rounds = int(sys.argv[2]), int(sys.argv[3])
    build.get_test_procedure = hurried(build.get_test_procedure, every, rounds)
    del sys.argv[1:4]
sys.exit(cli_entrypoint())
