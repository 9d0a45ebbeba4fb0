//! What an installer reads off a device, as text and as a QR code.

use std::fmt;

use fleet::{Lfdi, Pin};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

/// The identity of a device on paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    pub lfdi: Lfdi,
    pub pin: Option<Pin>,
}

impl Label {
    /// One line in the alphabet that a QR code holds most of: capitals, digits, space and `:`.
    ///
    /// No standard gives the form; it names each value and leaves no doubt where one ends.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("LFDI:{} SFDI:{}", self.lfdi, self.lfdi.sfdi());
        if let Some(pin) = self.pin {
            text += &format!(" PIN:{:06}", pin.digits());
        }
        text
    }

    /// The code in characters, two modules high each; `None` if it does not fit, which a label
    /// always does.
    #[must_use]
    pub fn qr(&self) -> Option<String> {
        let code = QrCode::new(self.text()).ok()?;
        Some(code.render::<Dense1x2>().build())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text())?;
        f.write_str(&self.qr().unwrap_or_default())
    }
}
