//! The places of a server, and what is said without them. Used by what goes to others: the server's own answer and the
//! archive of the command line. It looks at no disk.

use std::path::Path;

use crate::config::{Config, home_folder};

/// What is said instead of each place; the longest comes first, so that none is taken for the beginning of another.
pub struct Places(Vec<(String, &'static str)>);

impl Places {
    /// Those of a configuration and of the user who runs this.
    pub fn of(config: &Config) -> Self {
        let home = home_folder();
        let mut places = vec![(config.store.folder.as_path(), "(data folder)")];
        places.extend(config.secrets.root_key_file.as_deref().map(|path| (path, "(root key file)")));
        places.extend(config.ssh_keys.folder.as_deref().map(|path| (path, "(SSH key folder)")));
        places.extend(config.git.program.as_deref().map(|path| (path, "(git program)")));
        places.extend(config.git.roots.iter().map(|path| (path.as_path(), "(root)")));
        places.extend(home.as_deref().map(|home| (home, "~")));
        // The root of the file system is in every path.
        let telling = |path: &&Path| path.components().count() > 1 || path.is_relative();
        let mut places: Vec<_> = places.into_iter().filter(|(path, _)| telling(path)).collect();
        places.sort_by_key(|(path, _)| std::cmp::Reverse(path.as_os_str().len()));
        Self(places.into_iter().map(|(path, word)| (path.display().to_string(), word)).collect())
    }

    /// The text without them.
    pub fn hidden_in(&self, text: &str) -> String {
        let places = self.0.iter().filter(|(place, _)| !place.is_empty());
        places.fold(text.to_owned(), |text, (place, word)| text.replace(place, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_within_another_is_hidden_as_itself_and_the_root_of_all_hides_nothing() {
        let mut config = Config::default();
        config.store.folder = "/srv/anne".into();
        config.secrets.root_key_file = Some("/srv/anne keys/root.key".into());
        config.git.roots = vec!["/".into(), "/srv/anne/code".into()];
        let places = Places::of(&config);
        let hidden = places.hidden_in("/srv/anne/mirrors, /srv/anne/code/x, /srv/anne keys/root.key, /usr/bin/git");
        assert_eq!(hidden, "(data folder)/mirrors, (root)/x, (root key file), /usr/bin/git");
    }
}
