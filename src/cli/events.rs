//! `keytrail events`

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::{
    CliError,
    client::{Client, with_client},
    follow::follow,
    output,
};
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Events {
    /// Replay one stream, named by its id: each event and the state after it
    #[arg(long, value_name = "ID")]
    stream: Option<String>,
    /// Only up to this position of the log
    #[arg(long, value_name = "POSITION")]
    until: Option<i64>,
    /// How many, the newest ones; all with 0
    #[arg(long, default_value_t = 50, conflicts_with = "stream")]
    last: usize,
    /// Go on with what happens from now on
    #[arg(long, conflicts_with_all = ["stream", "until"])]
    follow: bool,
    /// Print JSON, one event a line
    #[arg(long)]
    json: bool,
}

impl Events {
    pub(super) async fn run(self, config: &Config) -> Result<ExitCode, CliError> {
        with_client(config, async |client| match &self.stream {
            Some(stream) => self.replay(client, stream).await,
            None => self.list(client).await,
        })
        .await?;
        Ok(ExitCode::SUCCESS)
    }

    async fn list(&self, client: &Client) -> Result<(), CliError> {
        let mut query = vec![("order", "desc".to_owned())];
        query.extend(self.until.map(|until| ("until", until.to_string())));
        let most = if self.last == 0 { usize::MAX } else { self.last };
        let mut events: Vec<Value> = client.list("/api/v1/events", &query, most).await?;
        events.reverse();
        events.iter().try_for_each(|event| self.tell(event))?;
        if !self.follow {
            return Ok(());
        }
        let after = events.last().and_then(|event| event["position"].as_i64()).unwrap_or(0);
        follow(client, "/api/v1/events/stream", &[("after", after.to_string())], |event| self.tell(event)).await
    }

    fn tell(&self, event: &Value) -> Result<(), CliError> {
        if self.json {
            return output::json(event);
        }
        let text = |member: &str| event[member].as_str().unwrap_or_default();
        let cause = event["causation"].as_str().map(|cause| format!(", because of {cause}")).unwrap_or_default();
        output::print(&format!(
            "{:>6}  {}  {} ({})  {}{cause}  {}/{}",
            event["position"].to_string(),
            output::moment(&event["recorded_at"]),
            event["actor"]["name"].as_str().unwrap_or_default(),
            text("source"),
            text("summary"),
            text("stream_type"),
            text("stream_id"),
        ));
        Ok(())
    }

    async fn replay(&self, client: &Client, stream: &str) -> Result<(), CliError> {
        // `integration/0198…` as lists write it, or the id alone.
        let id = stream.rsplit('/').next().unwrap_or(stream);
        let id: uuid::Uuid = id.parse().map_err(|_| {
            CliError::Input(format!("{stream:?} names no stream; each line of `keytrail events` ends with its own"))
        })?;
        // The oldest: what an index run found has the run's id, too, but comes after the run's own first event.
        let query = [("stream", id.to_string()), ("order", "asc".to_owned())];
        let first: Vec<Value> = client.list("/api/v1/events", &query, 1).await?;
        let Some(stream_type) = first.first().and_then(|event| event["stream_type"].as_str()) else {
            return Err(CliError::Missing(format!("the log has no stream {id}")));
        };
        let mut query = vec![("state", "true".to_owned())];
        query.extend(self.until.map(|until| ("until", until.to_string())));
        let path = format!("/api/v1/streams/{stream_type}/{id}/events");
        for event in client.list::<Value>(&path, &query, usize::MAX).await? {
            if self.json {
                output::json(&event)?;
                continue;
            }
            let text = |member: &str| event[member].as_str().unwrap_or_default();
            output::print(&format!(
                "{:>6}  {}  {} #{}  by {} ({})",
                event["position"].to_string(),
                output::moment(&event["recorded_at"]),
                text("event_type"),
                event["sequence"],
                event["metadata"]["actor"]["name"]
                    .as_str()
                    .unwrap_or(event["metadata"]["actor"]["kind"].as_str().unwrap_or_default()),
                event["metadata"]["source"].as_str().unwrap_or_default(),
            ));
            output::print(&format!("        event  {}", event["payload"]));
            output::print(&format!("        state  {}", event["state"]));
        }
        Ok(())
    }
}
