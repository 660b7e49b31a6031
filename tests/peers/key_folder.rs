//! Keys in every form that programs write, in one folder beside their public halves: each is found by what it holds, those with a
//! passphrase are told, and the others are opened. The programs say which key it is.

use std::{fs, path::Path};

use keytrail::{
    key_folder::{KeyFile, KeyFolder, Unusable},
    ssh_keys::Problem,
};

use super::{
    key_cells::{KINDS, ROWS, base},
    key_programs::Bench,
};

fn name(file: &KeyFile) -> String {
    file.path.file_name().expect("a name").to_string_lossy().into_owned()
}

/// Writes the key into the folder in each form. The names of the files, with the fingerprint where there is no passphrase.
fn in_each_form(bench: &Bench, folder: &Path, column: usize) -> Vec<(String, Option<String>)> {
    let (kind, key) = (KINDS[column], format!("key{column}"));
    base(bench, &key, kind);
    let public = format!("{key}.pub");
    fs::copy(bench.path(&public), folder.join(&public)).expect("a file");
    let line = bench.run(&["ssh-keygen", "-l", "-f", &public]);
    let sha256 = line.split_whitespace().nth(1).expect("a fingerprint").to_owned();
    let mut written = Vec::new();
    for (number, row) in ROWS.iter().enumerate().filter(|(_, row)| row.exists_for(kind.0)) {
        // Some programs overwrite nothing.
        let _ = fs::remove_file(bench.path("cell"));
        row.write(bench, &key, "cell");
        let file = format!("{column}-{number:02}");
        fs::write(folder.join(&file), bench.bytes("cell")).expect("a file");
        written.push((file, row.encryption.is_none().then(|| sha256.clone())));
    }
    written
}

#[test]
fn each_form_that_programs_write_is_found_in_a_folder_and_opened_where_it_has_no_passphrase() {
    let (bench, folder) = (Bench::new(), tempfile::tempdir().expect("a temporary folder"));
    let mut wanted = in_each_form(&bench, folder.path(), 0);
    wanted.extend(in_each_form(&bench, folder.path(), 1));
    let keys = KeyFolder::at(folder.path().to_owned());
    let listing = keys.look().expect("a folder");
    let found: Vec<_> = listing.files.iter().map(|file| (name(file), file.usable())).collect();
    assert_eq!(found, wanted);
    for file in &listing.files {
        let needs = matches!(file.problem, Some(Unusable::Key(Problem::PassphraseNeeded)));
        assert_eq!(needs, file.usable().is_none(), "{}", name(file));
    }
    for (file, sha256) in wanted.iter().filter_map(|(file, sha256)| Some((file, sha256.as_deref()?))) {
        let place = folder.path().join(file).display().to_string();
        let opened = keys.open(sha256, &place).unwrap_or_else(|missing| panic!("{file}: {missing}"));
        assert_eq!(opened.public().sha256(), sha256, "{file}");
    }
}
