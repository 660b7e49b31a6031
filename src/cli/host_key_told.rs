//! What `keytrail host-key` says of SSH servers and their keys. Called by `host_key.rs`; it asks nothing.

use serde_json::Value;

use super::{
    CliError,
    form::{PENDING, is_pending},
    output,
};

/// All of them, one a line.
pub(super) fn list(all: &[Value]) {
    let rows = all.iter().map(|row| {
        let keys = if row["state"] == "changed" { &row["offered"] } else { &row["trusted"] };
        let keys: Vec<_> = keys.as_array().into_iter().flatten().map(|key| text(key, "algorithm")).collect();
        let mut cells =
            ["id", "name", "state", "trusted_how", "met_at"].map(|member| output::cell(&row[member])).to_vec();
        cells.push(keys.join(", "));
        cells
    });
    output::table(&["id", "server", "state", "trusted", "met at", "keys"], &rows.collect::<Vec<_>>());
}

/// One of them.
pub(super) fn server(server: &Value, as_json: bool) -> Result<(), CliError> {
    if as_json {
        return output::json(server);
    }
    field("id", text(server, "id"));
    if is_pending(server) {
        output::print(PENDING);
        return Ok(());
    }
    field("server", text(server, "name"));
    let by = server["trusted_how"].as_str().map(|how| format!(", by {how}")).unwrap_or_default();
    field("state", &format!("{}{by}", text(server, "state")));
    for (member, name) in [("trusted", "trusted"), ("offered", "shows now"), ("refused", "refused"), ("seen", "seen")] {
        keys(name, &server[member]);
    }
    output::print("");
    output::print(text(server, "next"));
    Ok(())
}

/// What a look at one showed.
pub(super) fn scanned(scanned: &Value, as_json: bool) -> Result<(), CliError> {
    if as_json {
        return output::json(scanned);
    }
    field("server", text(scanned, "name"));
    field("verdict", text(scanned, "verdict"));
    keys("shows", &scanned["keys"]);
    match (scanned["published_by"].as_str(), scanned["published_problem"].as_str()) {
        (Some(by), _) => field("published", by),
        (None, Some(problem)) => field("published", problem),
        (None, None) => {}
    }
    output::print("");
    output::print(text(scanned, "next"));
    Ok(())
}

/// What came of a file.
pub(super) fn imported(imported: &Value, as_json: bool) -> Result<(), CliError> {
    let servers = || imported["servers"].as_array().into_iter().flatten();
    let ends = if servers().any(|server| server["trusted"] == true) {
        Ok(())
    } else {
        Err(CliError::Failed("nothing of the file is trusted".to_owned()))
    };
    if as_json {
        output::json(imported)?;
        return ends;
    }
    for server in servers() {
        let name = format!("{}:{}", text(server, "host"), server["port"]);
        match server["detail"].as_str() {
            None => output::print(&format!("{name} is trusted")),
            Some(detail) => output::print(&format!("{name} is not trusted: {detail}")),
        }
    }
    for line in imported["not_taken"].as_array().into_iter().flatten() {
        output::print(&format!("line {}, {}: {}", line["line"], text(line, "name"), text(line, "detail")));
    }
    ends
}

/// What a look alone has done already, and what comes before anything is trusted.
pub(super) fn changed(server: &str) -> String {
    let server = output::quoted(server);
    format!(
        "it shows another key than a trusted one, which is recorded; before anything else is trusted, decide with \
         `keytrail host-key accept {server}` or `keytrail host-key refuse {server}`"
    )
}

/// A line for each key.
pub(super) fn lines(keys: &Value) -> Vec<String> {
    let all = keys.as_array().into_iter().flatten();
    all.map(|key| format!("  {} {}{}", text(key, "algorithm"), text(key, "fingerprint_sha256"), published(key)))
        .collect()
}

fn published(key: &Value) -> &'static str {
    match key["published"].as_bool() {
        Some(true) => " (as published)",
        Some(false) => " (NOT as published)",
        None => "",
    }
}

fn keys(name: &str, keys: &Value) {
    let mut name = name;
    for key in keys.as_array().into_iter().flatten() {
        field(name, &format!("{} {}{}", text(key, "algorithm"), text(key, "fingerprint_sha256"), published(key)));
        field("", text(key, "fingerprint_md5"));
        name = "";
    }
}

fn text<'a>(row: &'a Value, member: &str) -> &'a str {
    row[member].as_str().unwrap_or_default()
}

fn field(name: &str, value: &str) {
    output::print(&format!("{name:<11}  {value}"));
}
