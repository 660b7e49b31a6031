//! A first fetch, and what comes after it.

use super::{stage::all, *};

fn small() -> Shape {
    Shape { commits: 300, files_per_commit: 1, ..Shape::default() }
}

#[tokio::test]
async fn a_first_fetch_brings_every_commit_and_the_next_only_what_is_new() {
    for (server, way) in all() {
        let stage = Stage::new(server, &small());
        let first = stage.fetch(way).await.unwrap_or_else(|error| panic!("{server:?} {way:?}: {error:?}"));
        let filled = stage.mirror.filled_by().expect("memory");
        assert_eq!(filled, Some((way.best_filter(), way.kind())), "{server:?} {way:?}");
        assert!(first.bytes > 0 && first.objects > 300, "{first:?}");
        assert_eq!(stage.progress.phase(), FetchPhase::Done);
        assert_eq!(stage.in_the_mirror(), stage.on_the_server(), "{server:?} {way:?}");

        let again = stage.fetch(way).await.expect("nothing to do");
        assert_eq!(again, Fetched::default());

        let tip = stage.source.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
        let new = stage.source.commit("refs/heads/main", "NEW-1", &[&tip]).expect("a commit");
        let next = stage.fetch(way).await.unwrap_or_else(|error| panic!("{server:?} {way:?}: {error:?}"));
        assert!(stage.has(&new));
        assert!(next.objects <= 2 && next.bytes < 1_000, "{server:?} {way:?} {next:?}");
        assert_eq!(stage.in_the_mirror(), stage.on_the_server());
    }
}

#[tokio::test]
async fn what_a_force_push_or_a_deletion_leaves_behind_stays_readable() {
    for (server, way) in all() {
        let stage = Stage::new(server, &small());
        let base = stage.source.git_line(&["rev-parse", "refs/heads/main"]).expect("a branch");
        let old = stage.source.commit("refs/heads/main", "OLD-1", &[&base]).expect("a commit");
        let side = stage.source.commit("refs/heads/side", "SIDE-1", &[&base]).expect("a commit");
        stage.fetch(way).await.unwrap_or_else(|error| panic!("{server:?} {way:?}: {error:?}"));
        let new = stage.source.commit("refs/heads/main", "OTHER-1", &[&base]).expect("a commit");
        stage.source.git(&["update-ref", "-d", "refs/heads/side"]).expect("a branch");
        stage.fetch(way).await.expect("a fetch");
        for sha in [&old, &side, &new] {
            assert!(stage.has(sha), "{server:?} {way:?}");
        }
        assert_eq!(stage.in_the_mirror(), stage.on_the_server());
        let kept = stage.mirror.kept().expect("refs");
        let wanted: BTreeSet<_> = [old, side, new].map(|sha| sha.parse().expect("a name")).into();
        assert!(kept.is_superset(&wanted));
    }
}

#[tokio::test]
async fn tags_of_files_folders_and_tags_are_fetched_as_what_they_are() {
    for (server, way) in all() {
        let stage = Stage::new(server, &Shape { commits: 60, files_per_commit: 1, ..Shape::default() });
        let git = |arguments: &[&str]| stage.source.git_line(arguments).expect("git works");
        let folder = git(&["rev-parse", "refs/heads/main^{tree}"]);
        let file = stage.source.git_with_input(&["hash-object", "-w", "--stdin"], b"a file").expect("an object");
        let file = String::from_utf8_lossy(&file).trim().to_owned();
        git(&["tag", "-a", "-m", "one", "of-file", &file]);
        git(&["tag", "-a", "-m", "two", "of-tag", "of-file"]);
        git(&["tag", "folder", &folder]);
        git(&["tag", "file", &file]);
        stage.fetch(way).await.unwrap_or_else(|error| panic!("{server:?} {way:?}: {error:?}"));
        for sha in [folder, file, git(&["rev-parse", "of-file"]), git(&["rev-parse", "of-tag"])] {
            assert!(stage.has(&sha), "{server:?} {way:?} {sha}");
        }
        // The next fetch has them as tips, and works.
        let tip = git(&["rev-parse", "refs/heads/main"]);
        let new = stage.source.commit("refs/heads/main", "NEW-1", &[&tip]).expect("a commit");
        stage.fetch(way).await.unwrap_or_else(|error| panic!("{server:?} {way:?}: {error:?}"));
        assert!(stage.has(&new));
        // A folder alone, as when somebody tags one between two fetches.
        let alone = git(&["rev-parse", "refs/heads/main~2^{tree}"]);
        git(&["tag", "alone", &alone]);
        stage.fetch(way).await.unwrap_or_else(|error| panic!("{server:?} {way:?}: {error:?}"));
        assert!(stage.has(&alone));
    }
}

/// By what each is fetched from in these tests.
#[test]
fn each_way_speaks_what_the_page_says() {
    let word = |server: Server| match server {
        Server::Folder => "folders",
        Server::Daemon => "`git://`",
        Server::Web(_) => "`http://`",
        Server::Tls => "`https://`",
        Server::Ssh => "`ssh://`",
    };
    for (row, way) in crate::git::transport::tests::page::rows("Who fetches").iter().zip(WAYS) {
        let fetched: BTreeSet<&str> = all().filter(|(_, by)| *by == way).map(|(server, _)| word(server)).collect();
        let said = format!("`{}", row[1]);
        assert_eq!(said.split(", ").collect::<BTreeSet<_>>(), fetched, "{way:?}");
    }
}
