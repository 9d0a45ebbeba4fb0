//! Connection point: where a device meets the network (CSIP-AUS).

use crate::codec::simple::{AnyUri, Text};
use crate::codec::table::complex;

complex! {
    /// The name that the network operator has for the place.
    pub struct ConnectionPoint("csipaus:ConnectionPoint" in CSIP_AUS) {
        @opt href: AnyUri = "href",
        one connection_point_id: Text<32> = "csipaus:connectionPointId",
    }
}
