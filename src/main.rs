//! The program `keytrail`.

fn main() {}
