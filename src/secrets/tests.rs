//! Sealing, rotating, forgetting and coming in.
