//! The Debian package: built once for these tests, from the program that cargo built.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use tempfile::TempDir;

use crate::{PROGRAM, ours, read, said};

/// The package; uncompressed, as that takes no time.
fn package() -> &'static Path {
    static PACKAGE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = PACKAGE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let built = said(
            Command::new(ours("packaging/debian/build"))
                .args(["--binary", PROGRAM, "--compression", "none", "--out"])
                .arg(folder.path())
                .env("SOURCE_DATE_EPOCH", "1795240800"),
        );
        let path = PathBuf::from(built.trim());
        (folder, path)
    });
    path
}

#[test]
fn it_says_what_it_is_and_what_it_needs() {
    let fields = said(Command::new("dpkg-deb").arg("-f").arg(package()));
    let fields: BTreeMap<&str, &str> = fields.lines().filter_map(|line| line.split_once(": ")).collect();
    assert_eq!((fields["Package"], fields["Version"]), ("keytrail", env!("CARGO_PKG_VERSION")));
    assert!(fields["Depends"].contains("libc6"), "{fields:?}");
    assert!(fields["Recommends"].contains("git"), "{fields:?}");
    assert!(fields["Installed-Size"].parse::<u64>().is_ok_and(|size| size > 1_000), "{fields:?}");
    let name = package().file_name().and_then(|name| name.to_str()).expect("a name");
    assert_eq!(name, format!("keytrail_{}_{}.deb", fields["Version"], fields["Architecture"]));
}

#[test]
fn it_holds_all_that_belongs_to_the_program_owned_by_root() {
    let listed = said(Command::new("dpkg-deb").arg("-c").arg(package()));
    let mut found = BTreeMap::new();
    for line in listed.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!(words[1], "root/root", "{line}");
        found.insert(words[5].trim_start_matches('.').to_owned(), words[0].to_owned());
    }
    let executable = "-rwxr-xr-x";
    assert_eq!(found["/usr/bin/keytrail"], executable);
    for path in [
        "/etc/keytrail/keytrail.toml",
        "/lib/systemd/system/keytrail.service",
        "/usr/share/bash-completion/completions/keytrail",
        "/usr/share/doc/keytrail/CHANGELOG.md",
        "/usr/share/doc/keytrail/changelog.gz",
        "/usr/share/doc/keytrail/copyright",
        "/usr/share/doc/keytrail/operations.md",
        "/usr/share/doc/keytrail/published_host_keys.toml",
        "/usr/share/fish/vendor_completions.d/keytrail.fish",
        "/usr/share/man/man1/keytrail-serve.1.gz",
        "/usr/share/man/man1/keytrail.1.gz",
        "/usr/share/zsh/vendor-completions/_keytrail",
    ] {
        assert_eq!(found.get(path).map(String::as_str), Some("-rw-r--r--"), "{path} in {found:?}");
    }
    // Nothing else may be run, and nobody but root may write.
    let others = found.iter().filter(|(path, mode)| !mode.starts_with('d') && *path != "/usr/bin/keytrail");
    assert!(others.clone().all(|(_, mode)| mode == "-rw-r--r--"), "{found:?}");
    let folders = found.values().filter(|mode| mode.starts_with('d'));
    assert!(folders.clone().all(|mode| mode == "drwxr-xr-x"), "{found:?}");
    let conffiles = said(Command::new("dpkg-deb").arg("-I").arg(package()).arg("conffiles"));
    assert_eq!(conffiles, "/etc/keytrail/keytrail.toml\n");
}

#[test]
fn the_same_program_gives_the_same_package() {
    let folder = tempfile::tempdir().expect("a folder");
    let again = said(
        Command::new(ours("packaging/debian/build"))
            .args(["--binary", PROGRAM, "--compression", "none", "--out"])
            .arg(folder.path())
            .env("SOURCE_DATE_EPOCH", "1795240800"),
    );
    let again = fs::read(again.trim()).expect("a package");
    assert!(fs::read(package()).expect("a package") == again, "two builds differ");
}

#[test]
fn it_is_installed_run_as_its_unit_runs_it_and_removed() {
    let scratch = tempfile::tempdir().expect("a folder");
    let root = scratch.path().canonicalize().expect("it is there");
    let installed = rustix::process::geteuid().is_root();
    if installed {
        fs::create_dir_all(root.join("var/lib/dpkg/updates")).expect("a folder");
        fs::create_dir_all(root.join("var/lib/dpkg/info")).expect("a folder");
        fs::write(root.join("var/lib/dpkg/status"), "").expect("a file");
        said(dpkg(&root).arg("--install").arg(package()));
    } else {
        println!("not root: the package is unpacked, not installed");
        said(Command::new("dpkg-deb").arg("-x").arg(package()).arg(&root));
    }
    run_as_the_unit(&root);
    if installed {
        fs::write(root.join("etc/keytrail/keytrail.toml"), "# A person's own.\n").expect("a file");
        said(dpkg(&root).args(["--remove", "keytrail"]));
        assert!(!root.join("usr/bin/keytrail").exists());
        assert_eq!(read(root.join("etc/keytrail/keytrail.toml")), "# A person's own.\n");
        said(dpkg(&root).args(["--purge", "keytrail"]));
        assert!(!root.join("etc/keytrail/keytrail.toml").exists());
        assert!(root.join("var/lib/keytrail/store/log.db").exists(), "the only log there is stays");
    }
}

fn dpkg(root: &Path) -> Command {
    let mut command = Command::new("dpkg");
    command.arg(format!("--root={}", root.display())).args(["--force-script-chrootless", "--force-depends"]);
    command.arg(format!("--log={}/dpkg.log", root.display())).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// A server that ends with the value, also when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts what `ExecStart` of the installed unit says, with what it names below `root` instead of `/`.
fn run_as_the_unit(root: &Path) {
    let unit = read(root.join("lib/systemd/system/keytrail.service"));
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).expect("it starts something");
    let mut words = start.split_whitespace().map(|word| match word.strip_prefix('/') {
        Some(path) => root.join(path),
        None => PathBuf::from(word),
    });
    let config = root.join("etc/keytrail/keytrail.toml");
    let text = read(&config).replace("\"/var/lib", &format!("\"{}/var/lib", root.display()));
    fs::write(&config, text.replace(":8421", ":0")).expect("the configuration is ours");
    // The StateDirectory of the unit.
    fs::create_dir_all(root.join("var/lib/keytrail")).expect("a folder");
    let mut command = Command::new(words.next().expect("a program"));
    command.args(words).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/").stdout(Stdio::null());
    command.stderr(Stdio::null()).process_group(0);
    let mut server = Running(command.spawn().expect("it runs"));
    let program = root.join("usr/bin/keytrail");
    let health = || Command::new(&program).arg("health").arg("--config").arg(&config).env_clear().output();
    let mut healthy = false;
    for _ in 0..600 {
        assert!(server.0.try_wait().expect("its state").is_none(), "it goes on");
        if health().expect("it runs").status.success() {
            healthy = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(healthy, "it became ready");
    assert!(root.join("var/lib/keytrail/keys/root.key").exists());
    said(Command::new("kill").args(["-TERM", &server.0.id().to_string()]));
    assert!(server.0.wait().expect("it ends").success());
    assert_eq!(health().expect("it runs").status.code(), Some(5));
}

#[test]
fn shells_take_what_completes_the_arguments() {
    let scratch = tempfile::tempdir().expect("a folder");
    said(Command::new("dpkg-deb").arg("-x").arg(package()).arg(scratch.path()));
    let script = scratch.path().join("usr/share/bash-completion/completions/keytrail");
    // What bash offers after `keytrail integration re`.
    let asked = r#"source "$1"; COMP_WORDS=(keytrail integration re); COMP_CWORD=2; _keytrail keytrail re integration; echo "${COMPREPLY[@]}""#;
    let offered = said(Command::new("bash").args(["-c", asked, "bash"]).arg(script));
    let mut offered: Vec<_> = offered.split_whitespace().collect();
    offered.sort_unstable();
    assert_eq!(offered, ["reindex", "remove", "rename", "reset", "resume"]);
}
