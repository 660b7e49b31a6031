//! The views: what each shows, how facts change it, and how it is read. One folder a view.
//!
//! Called by the server's projector and by its routes. Knows the domain; never a database, a clock or a runtime.

pub mod rows;
pub mod value;
pub mod view;
