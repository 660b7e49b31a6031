//! The GitHub Apps of integrations: those through which nothing is read until a person does something.

use std::sync::Arc;

use keytrail_domain::installation::Status;
use keytrail_projections::installation_status::{self, InstallationRow};

use super::{Finding, counted};
use crate::{app::App, jobs::JobError};

const ID: &str = "installations";
/// So many are looked at.
const MOST: u32 = 1_000;
/// So many are told.
const TOLD: usize = 20;

pub(super) async fn check(app: &Arc<App>) -> Result<Vec<Finding>, JobError> {
    Ok(vec![finding(&app.read(installation_status::page(None, None, MOST)).await?)])
}

fn finding(rows: &[InstallationRow]) -> Finding {
    let connected = rows.iter().filter(|row| row.status != Status::Removed).count();
    let mut waiting: Vec<_> = rows.iter().filter(|row| needs_somebody(row)).map(told).collect();
    match (connected, waiting.len()) {
        (0, _) => Finding::ok(ID, "no integration reads through a GitHub App"),
        (_, 0) => Finding::ok(ID, format!("{}, and nobody has to act", counted(connected as u64, "GitHub App"))),
        (_, count) => {
            waiting.truncate(TOLD);
            let sentence =
                format!("nothing is read through {} until somebody acts", counted(count as u64, "GitHub App"));
            Finding::warn(ID, sentence, "`keytrail installation show ID` says of each what to do").of(waiting)
        }
    }
}

/// A suspension is somebody's wish, and what is on its way comes on by itself.
const fn needs_somebody(row: &InstallationRow) -> bool {
    match row.status {
        Status::ApprovalRequested | Status::KeyRejected | Status::Stuck | Status::Uninstalled | Status::AppDeleted => {
            true
        }
        Status::Registering | Status::Installing | Status::Active | Status::Suspended | Status::Removed => false,
    }
}

fn told(row: &InstallationRow) -> String {
    format!("{}: {}", row.id, row.status.as_str())
}

#[cfg(test)]
mod tests {
    use keytrail_domain::{id::IntegrationId, installation::Installation, timestamp::Timestamp};

    use super::*;
    use crate::doctor::State;

    fn row(status: Status) -> InstallationRow {
        InstallationRow {
            id: IntegrationId(uuid::Uuid::from_u128(7)),
            status,
            since: Timestamp::from_seconds(1),
            progress_at: Timestamp::from_seconds(1),
            state: Installation::Absent,
            wished_by: None,
            place: None,
            opened_position: 1,
            version: 1,
            position: 1,
        }
    }

    #[test]
    fn an_app_that_waits_for_somebody_is_told_and_one_that_was_suspended_is_not() {
        assert_eq!(finding(&[]).state, State::Ok);
        assert_eq!(finding(&[row(Status::Active), row(Status::Suspended)]).state, State::Ok);
        let some = finding(&[row(Status::Active), row(Status::KeyRejected), row(Status::Uninstalled)]);
        assert!(some.state == State::Warn && some.sentence.contains("2 GitHub Apps"), "{some:?}");
        assert!(some.details[0].ends_with(Status::KeyRejected.as_str()), "{some:?}");
    }
}
