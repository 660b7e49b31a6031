//! The server: everything with input and output. The pure core is in `keytrail_domain`.

pub mod git;
