//! Plans against HiGHS.
mod fleets;
mod peer;
