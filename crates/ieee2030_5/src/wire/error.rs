//! The body of an answer that refuses.

use crate::codec::simple::codes;
use crate::codec::table::complex;

complex! {
    /// Why a request was refused.
    pub struct Error("Error") {
        opt max_retry_duration: u16 = "maxRetryDuration",
        one reason_code: ReasonCode = "reasonCode",
    }
}

codes! {
    /// Reason of a refusal.
    pub struct ReasonCode(u16) {
        INVALID_FORMAT = 0,
        INVALID_VALUES = 1,
        RESOURCE_LIMIT = 2,
        CONDITION_NOT_SUPPORTED = 3,
        REQUEST_FREQUENCY = 4,
    }
}
