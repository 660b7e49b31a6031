//! Fetching from real servers, by both transports: what is on the server is in the mirror, and whatever breaks, the
//! mirror is what it was.

mod first_and_next;
mod from_a_folder;
mod hostile;
mod listed;
mod shallow;
mod slow;
mod stage;
mod troubles;
mod ways_to_a_server;

use std::{collections::BTreeSet, sync::atomic::Ordering};

use keytrail_domain::index_run::FailureCode;
use keytrail_test_support::repositories::Shape;

use self::stage::{Server, Stage, WAYS, Way};
use super::*;
