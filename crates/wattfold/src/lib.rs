pub mod auth;
pub mod pki;
pub mod tls;
