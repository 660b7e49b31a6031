//! The root key: the one thing that is neither in the database nor in a backup. It wraps the data keys.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{Secret, SecretsError, keyed_hash::hmac, seal::Key};
use crate::ids::{new_id, random_bytes};

/// Where the root key comes from.
pub enum RootKeyPlace {
    /// A file, which is made when it is missing and nothing is sealed yet. On the embedded engine only.
    MadeWhenMissing(PathBuf),
    /// A file that is there.
    File(PathBuf),
}

/// 32 random bytes. What is used is derived from them, a key for each purpose.
pub struct RootKey(Secret<[u8; 32]>);

impl RootKey {
    /// A new one.
    pub fn random() -> Self {
        Self(Secret::new(random_bytes()))
    }

    /// From base64 text; blanks around it do not count. `place` is for the error.
    pub fn parse(text: &Secret<String>, place: &str) -> Result<Self, SecretsError> {
        let malformed = || SecretsError::RootKeyMalformed { place: place.to_owned() };
        let bytes = Zeroizing::new(STANDARD.decode(text.expose().trim()).map_err(|_| malformed())?);
        bytes.as_slice().try_into().map(|bytes| Self(Secret::new(bytes))).map_err(|_| malformed())
    }

    /// From a file outside `data_folder` that nobody but its owner can read.
    pub fn read(path: &Path, data_folder: &Path) -> Result<Self, SecretsError> {
        let failed = |source| SecretsError::RootKeyFile { path: path.to_owned(), what: "read", source };
        refuse_inside(path, data_folder).map_err(failed)?.map_or(Ok(()), Err)?;
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(SecretsError::RootKeyMissing { path: path.to_owned() });
            }
            file => file.map_err(failed)?,
        };
        // Of the open file: the name may lead elsewhere a moment later.
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SecretsError::RootKeyExposed { path: path.to_owned(), mode });
        }
        // Longer than any root key: a wrong path must not be read into memory as a whole.
        const ENOUGH: usize = 256;
        let mut bytes = Zeroizing::new(Vec::with_capacity(ENOUGH));
        file.take(ENOUGH as u64).read_to_end(&mut bytes).map_err(failed)?;
        // What is not text is no base64 either.
        let text = Secret::new(std::str::from_utf8(&bytes).unwrap_or_default().to_owned());
        Self::parse(&text, &path.display().to_string())
    }

    /// Makes a key in a new file outside `data_folder`, durably. When another process makes one there at the same
    /// time, one of the two wins and both get that one.
    pub fn read_or_make(path: &Path, data_folder: &Path) -> Result<Self, SecretsError> {
        match Self::read(path, data_folder) {
            Err(SecretsError::RootKeyMissing { .. }) => {}
            known => return known,
        }
        let made = match Self::random().write_new(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made,
        };
        made.map_err(|source| SecretsError::RootKeyFile { path: path.to_owned(), what: "made", source })?;
        Self::read(path, data_folder)
    }

    /// Writes it to a file that is not there yet, readable by its owner only. The file appears with its content or not
    /// at all, and survives a power cut.
    pub fn write_new(&self, path: &Path) -> io::Result<()> {
        let folder = folder_of(path);
        let draft = folder.join(format!(".root-key-{}", new_id()));
        let linked = self.write_draft(&draft).and_then(|()| fs::hard_link(&draft, path));
        let removed = fs::remove_file(&draft);
        linked?;
        removed?;
        File::open(folder)?.sync_all()
    }

    /// Puts the file `new` where `path` is: the last step of a rotation, after the database has the new key.
    pub fn put_in_place(new: &Path, path: &Path) -> io::Result<()> {
        fs::rename(new, path)?;
        File::open(folder_of(path))?.sync_all()
    }

    /// The key that wraps data keys.
    pub(super) fn wrapping_key(&self) -> Key {
        Secret::new(hmac(self.0.expose(), b"keytrail root key: wrap data keys, 1"))
    }

    /// Tells one root key from another without saying anything about either.
    pub(super) fn check(&self) -> [u8; 16] {
        let mut check = [0; 16];
        check.copy_from_slice(&hmac(self.0.expose(), b"keytrail root key: check value, 1")[..16]);
        check
    }

    fn write_draft(&self, draft: &Path) -> io::Result<()> {
        let text = Zeroizing::new(format!("{}\n", &*Zeroizing::new(STANDARD.encode(self.0.expose()))));
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }
}

/// The refusal when `path` is inside `folder`, links followed.
fn refuse_inside(path: &Path, folder: &Path) -> io::Result<Option<SecretsError>> {
    let real = |path: &Path| match fs::canonicalize(path) {
        // What does not exist holds nothing.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        real => real.map(Some),
    };
    let Some(folder) = real(folder)? else { return Ok(None) };
    let places = [real(path)?, real(folder_of(path))?];
    let inside = places.iter().flatten().any(|place| place.starts_with(&folder));
    Ok(inside.then(|| SecretsError::RootKeyMisplaced { path: path.to_owned() }))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
