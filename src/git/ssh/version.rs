//! Which `ssh` there is, in its own words. Asked by the doctor; it connects to nothing.

use std::{io, path::Path, process::Stdio, time::Duration};

use keytrail_domain::display_text::DisplayText;
use tokio::{process::Command, time::timeout};

/// It answers at once, or something is wrong with it.
const LONGEST: Duration = Duration::from_secs(5);

/// What the program says it is. Where it would not run for this process it says why, as the error.
pub async fn version(program: &Path) -> io::Result<String> {
    let mut command = Command::new(program);
    command.env_clear().arg("-V").current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    let output = timeout(LONGEST, command.output()).await.map_err(|_| io::Error::other("it does not answer"))??;
    // Both are said on standard error.
    let said = String::from_utf8_lossy(&output.stderr);
    let said = DisplayText::clean(said.lines().next().unwrap_or_default()).as_str().to_owned();
    match (output.status.success(), said.is_empty()) {
        (true, false) => Ok(said),
        (false, false) => Err(io::Error::other(said)),
        (_, true) => Err(io::Error::other("it does not say what it is")),
    }
}
