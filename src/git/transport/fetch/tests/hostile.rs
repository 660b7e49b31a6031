//! Packs that are made to hurt. Whoever fetches takes no more memory than allowed, says why, and keeps nothing of it.

use keytrail_test_support::{
    pack_maker::{Delta, PackMaker, PackedKind, bomb, commit_text, name_of},
    web_server::{Door, PackServer},
};

use super::{stage::remote, *};

const MEGABYTE: u64 = 1024 * 1024;

/// A mirror that is empty, and a server that gives this pack.
fn offered(tip: &str, pack: Vec<u8>) -> (Stage, PackServer, WantedRef) {
    let mut stage = Stage::new(Server::Folder, &Shape { commits: 1, ..Shape::default() });
    let server = PackServer::start(tip, pack);
    stage.from(remote(&server.url()));
    stage.limits.memory_bytes = 128 * MEGABYTE;
    let wanted = WantedRef { name: b"refs/heads/main".to_vec(), target: tip.parse().expect("a name") };
    (stage, server, wanted)
}

/// By both ways the pack is refused with this code, and nothing of it is there.
async fn is_refused(tip: &str, pack: &[u8], expected: FailureCode) {
    for way in WAYS {
        is_refused_by(way, tip, pack, expected).await;
    }
}

async fn is_refused_by(way: Way, tip: &str, pack: &[u8], expected: FailureCode) {
    let (stage, _server, wanted) = offered(tip, pack.to_vec());
    let error = stage.fetch_these(way, &[wanted]).await.expect_err("it should be refused");
    assert_eq!(error.failure_code(), Some(expected), "{way:?}: {error}");
    assert_eq!((stage.packs(), stage.torn(), stage.mirror.kept().expect("refs").len()), (0, Vec::new(), 0));
    assert!(!stage.mirror.incoming().exists(), "{way:?}");
    assert_eq!(stage.processes_in_the_mirror(), 0, "{way:?}");
}

#[tokio::test]
async fn a_few_kilobytes_that_stand_for_gigabytes_are_refused() {
    let (pack, tip) = bomb();
    assert!(pack.len() < 16 * 1024);
    is_refused(&tip, &pack, FailureCode::PackNeedsMemory).await;
}

#[tokio::test]
async fn an_object_that_claims_to_be_huge_is_refused() {
    let commit = commit_text("SHOP-1");
    let tip = name_of("commit", &commit);
    for kind in [PackedKind::Commit, PackedKind::Tree, PackedKind::Tag] {
        let mut pack = PackMaker::default();
        pack.object(PackedKind::Commit, &commit);
        pack.claiming(kind, 8 << 30, b"short");
        is_refused(&tip, &pack.finish(), FailureCode::PackNeedsMemory).await;
    }
    // A file takes none, however large: this one is not what it claims to be.
    let mut pack = PackMaker::default();
    pack.object(PackedKind::Commit, &commit);
    pack.claiming(PackedKind::Blob, 8 << 30, b"short");
    is_refused(&tip, &pack.finish(), FailureCode::CorruptPack).await;
}

#[tokio::test]
async fn a_pack_that_claims_many_millions_of_objects_is_refused() {
    let commit = commit_text("SHOP-1");
    let mut pack = PackMaker::default();
    pack.object(PackedKind::Commit, &commit);
    is_refused(&name_of("commit", &commit), &pack.claiming_objects(100_000_000), FailureCode::PackNeedsMemory).await;
}

#[tokio::test]
async fn a_chain_of_ten_thousand_differences_is_put_together() {
    const LINKS: usize = 10_000;
    let text = |number: usize| commit_text(&format!("SHOP-1 link {number:05}"));
    let mut pack = PackMaker::default();
    let size = text(0).len();
    let mut at = pack.object(PackedKind::Commit, &text(0));
    for number in 1..=LINKS {
        // All but the number and the end of the line.
        let delta = Delta::new(size as u64, size as u64).copy(size as u32 - 6).insert(&text(number)[size - 6..]);
        at = pack.delta(at, &delta);
    }
    let (tip, pack) = (name_of("commit", &text(LINKS)), pack.finish());
    for way in WAYS {
        let (stage, _server, wanted) = offered(&tip, pack.clone());
        let fetched = stage.fetch_these(way, &[wanted]).await.unwrap_or_else(|error| panic!("{way:?}: {error:?}"));
        assert_eq!(fetched.objects, LINKS as u64 + 1, "{way:?}");
        let opened = stage.opened();
        let mut reader = opened.reader();
        let (_, read) = reader.read(tip.parse().expect("a name")).expect("it can be read").expect("it is there");
        assert_eq!(read, text(LINKS), "{way:?}");
    }
}

#[tokio::test]
async fn what_does_not_add_up_is_damaged() {
    let commit = commit_text("SHOP-1");
    let tip = name_of("commit", &commit);
    let made = |more: &dyn Fn(&mut PackMaker, usize)| {
        let mut pack = PackMaker::default();
        let at = pack.object(PackedKind::Commit, &commit);
        more(&mut pack, at);
        pack
    };
    let mut checksum = made(&|_, _| {}).finish();
    *checksum.last_mut().expect("a byte") ^= 1;
    let mut content = made(&|_, _| {}).finish();
    content[40] ^= 1;
    let mut more = made(&|_, _| {}).finish();
    more.extend(b"more");
    let size = commit.len() as u64;
    for pack in [
        checksum,
        content,
        more,
        made(&|pack, at| _ = pack.delta(at, &Delta::new(size + 1, 3).insert(b"abc"))).finish(),
        made(&|pack, at| _ = pack.delta(at, &Delta::new(size, 4).insert(b"abc"))).finish(),
        made(&|pack, _| _ = pack.delta_to(&"01".repeat(20), &Delta::new(3, 3).insert(b"abc"))).finish(),
        made(&|pack, _| _ = pack.claiming(PackedKind::Blob, 3, b"four")).finish(),
        made(&|_, _| {}).claiming_objects(2),
    ] {
        is_refused(&tip, &pack, FailureCode::CorruptPack).await;
    }
}

#[tokio::test]
async fn a_pack_without_the_history_that_belongs_to_it_is_refused() {
    let (parent, child) = (name_of("commit", &commit_text("SHOP-1")), commit_text("SHOP-2"));
    let text = String::from_utf8(child).expect("text").replacen("author", &format!("parent {parent}\nauthor"), 1);
    let mut pack = PackMaker::default();
    pack.object(PackedKind::Commit, text.as_bytes());
    let (tip, pack) = (name_of("commit", text.as_bytes()), pack.finish());
    // The git program takes what is lacking in a mirror with a filter for left out; the walk names it.
    is_refused_by(Way::InProcess, &tip, &pack, FailureCode::MissingObject).await;
    // Not even what was asked for.
    let mut other = PackMaker::default();
    other.object(PackedKind::Commit, &commit_text("SHOP-3"));
    is_refused(&parent, &other.finish(), FailureCode::CorruptPack).await;
}

#[tokio::test]
async fn a_large_file_takes_disk_and_no_memory() {
    for way in WAYS {
        let mut stage = Stage::new(Server::Web(Door::NoFilter), &Shape { commits: 1, ..Shape::default() });
        let file = vec![0; 160 * MEGABYTE as usize];
        let blob = stage.source.git_with_input(&["hash-object", "-w", "--stdin"], &file).expect("an object");
        let tag = format!("refs/tags/large\n{}", String::from_utf8_lossy(&blob).trim());
        let (name, blob) = tag.split_once('\n').expect("two words");
        stage.source.git(&["update-ref", name, blob]).expect("a tag of a file");
        stage.limits.memory_bytes = 96 * MEGABYTE;
        stage.fetch(way).await.unwrap_or_else(|error| panic!("{way:?}: {error:?}"));
        assert!(stage.has(blob), "{way:?}");
    }
}

/// A folder with this file below a branch, and commits with small files; the memory is of 96 MB.
fn folder_with(file: impl FnOnce(&Stage) -> String) -> Stage {
    let shape = Shape { commits: 120, files_per_commit: 2, ..Shape::default() };
    let mut stage = Stage::new(Server::Folder, &shape);
    let file = file(&stage);
    let git = |arguments: &[&str], input: &str| {
        let said = stage.source.git_with_input(arguments, input.as_bytes()).expect("git works");
        String::from_utf8_lossy(&said).trim().to_owned()
    };
    let tree = git(&["mktree"], &format!("100644 blob {file}\tfile\n"));
    let commit = git(&["commit-tree", &tree, "-m", "a file"], "");
    git(&["update-ref", "refs/heads/large", &commit], "");
    stage.limits.memory_bytes = 96 * MEGABYTE;
    stage
}

/// The name of a file of so many megabytes.
fn written(stage: &Stage, megabytes: u64) -> String {
    let file = vec![0; (megabytes * MEGABYTE) as usize];
    let name = stage.source.git_with_input(&["hash-object", "-w", "--stdin"], &file).expect("an object");
    String::from_utf8_lossy(&name).trim().to_owned()
}

/// It is copied by this process once it may take more memory, and before that nothing of it is there.
async fn takes_more_memory(mut stage: Stage, what: &str) {
    let error = stage.fetch(Way::InProcess).await.expect_err("it should be refused");
    assert_eq!(error.failure_code(), Some(FailureCode::PackNeedsMemory), "{what}: {error}");
    assert_eq!((stage.packs(), stage.torn()), (0, Vec::new()), "{what}");
    assert!(!stage.mirror.incoming().exists(), "{what}");
    stage.limits.memory_bytes = 512 * MEGABYTE;
    stage.fetch(Way::InProcess).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(stage.in_the_mirror(), stage.on_the_server(), "{what}");
}

#[tokio::test]
async fn a_large_file_of_a_folder_comes_beside_files_that_are_alike() {
    // More than what takes part in a difference may have, less than what may be read.
    let stage = folder_with(|stage| written(stage, 40));
    stage.source.git(&["repack", "-a", "-d", "-q"]).expect("git works");
    stage.fetch(Way::InProcess).await.expect("it fits");
    assert_eq!(stage.in_the_mirror(), stage.on_the_server());
    let large = stage.source.git_line(&["rev-parse", "refs/heads/large:file"]).expect("a file");
    assert!(stage.has(&large));
}

#[tokio::test]
async fn a_file_of_a_folder_that_does_not_fit_into_memory_is_refused_before_it_is_read() {
    takes_more_memory(folder_with(|stage| written(stage, 64)), "a file of its own").await;
    let packed = folder_with(|stage| written(stage, 64));
    packed.source.git(&["repack", "-a", "-d", "-q"]).expect("git works");
    takes_more_memory(packed, "a file in a pack").await;
}

#[tokio::test]
async fn a_small_file_of_a_folder_that_is_made_of_a_huge_one_is_refused() {
    let stage = folder_with(|stage| {
        let base = vec![0; 64 * MEGABYTE as usize];
        let mut pack = PackMaker::default();
        let at = pack.object(PackedKind::Blob, &base);
        pack.delta(at, &Delta::new(base.len() as u64, 10).copy(10));
        stage.source.git_with_input(&["index-pack", "--stdin"], &pack.finish()).expect("a pack");
        name_of("blob", &base[..10])
    });
    takes_more_memory(stage, "a difference").await;
}
