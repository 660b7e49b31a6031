//! Every shape that was ever written to the log still reads. Files of `events/` are only added, never changed.

mod events;
mod installations;
mod samples;
