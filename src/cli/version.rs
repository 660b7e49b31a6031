//! What `keytrail --version` says: what the program is, and what it was built from. Read by the command line only.

use std::sync::LazyLock;

use crate::boot;

/// The version and the facts of the build, one a line.
pub(super) fn with_build_facts() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let mut lines = vec![
            env!("CARGO_PKG_VERSION").to_owned(),
            format!("commit   {}", env!("KEYTRAIL_COMMIT")),
            format!("date     {}", env!("KEYTRAIL_COMMIT_DATE")),
        ];
        lines.extend(boot::engines().iter().map(|(name, version)| format!("{name:<8} {version}")));
        lines.push(format!("target   {}", env!("KEYTRAIL_TARGET")));
        lines.push(format!("rustc    {}", env!("KEYTRAIL_RUSTC").trim_start_matches("rustc ")));
        lines.join("\n")
    });
    &TEXT
}
