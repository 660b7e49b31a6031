//! The git services that are spoken to in words of their own, a folder for each: how they name what they have, what they
//! refuse, and how they prove that a delivery is theirs. Called by jobs and by the routes; they write nothing of ours.

pub mod github;
