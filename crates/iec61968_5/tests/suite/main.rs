//! The crate as its users see it: bytes in, commands and bytes out, checked against the schemas
//! by validators of other people.

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod dispatches;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod http;
#[cfg(test)]
mod modes;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod scene;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod statuses;
