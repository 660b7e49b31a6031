//! The real server and remotes that want its memory: it says what they did, stays small, and serves on.

use keytrail_test_support::{
    pack_maker::bomb,
    server::{Home, Options, Server},
    web_server::PackServer,
};
use serde_json::{Value, json};

use crate::{server::soon, transports::Transport};

/// The most memory that a process ever had, in bytes.
fn most_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

async fn repositories(server: &Server) -> Value {
    server.client().get("/api/v1/repositories").await.expect("the server serves").body["items"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_stands_for_gigabytes_costs_the_server_little_and_its_run_says_why() {
    for transport in Transport::BOTH {
        let (pack, tip) = bomb();
        let remote = PackServer::start(&tip, pack);
        let set = |name: &str, value: &str| (format!("KEYTRAIL__GIT__{name}"), value.to_owned());
        let mut env = vec![
            set("HOSTS", "[\"127.0.0.1\"]"),
            set("ALLOW_HTTP", "true"),
            set("FREE_BYTES", "0"),
            set("MEMORY_BYTES", "268435456"),
        ];
        env.extend(transport.environment());
        let server = Home::new(env!("CARGO_BIN_EXE_keytrail"), Options { env, ..Options::default() }).start().await;
        let body = json!({ "name": "shop", "connection": { "kind": "git", "url": remote.url() } });
        let added = server.client().post("/api/v1/integrations", None, &body).await.expect("the server serves");
        assert!(added.is_done(), "{}", added.body);
        soon("the run failed with its code", || async {
            repositories(&server).await[0]["failure"]["code"] == "pack_needs_memory"
        })
        .await;
        let failure = repositories(&server).await[0]["failure"].clone();
        assert!(failure["text"].as_str().is_some_and(|text| text.contains("git.memory_bytes")), "{failure}");
        let most = most_memory(server.pid().expect("it runs"));
        assert!(most < 512 << 20, "{most} bytes, {transport:?}");
        let (_, status) = server.terminate().await;
        assert!(status.success());
    }
}
