//! Closed lists of words: a type for the program; one stable word for the store, the API, the console and the command
//! line.

/// The word is not in the list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{word} is not one of {}", known.join(", "))]
pub struct NoSuchWord {
    /// What was given.
    pub word: String,
    /// What is known.
    pub known: Vec<&'static str>,
}

/// Makes an enum of words: `Variant = "word"`.
#[macro_export]
#[doc(hidden)]
macro_rules! __words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// The whole list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The stable word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::word::NoSuchWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                let known = || Self::ALL.iter().map(|known| known.as_str());
                Self::ALL
                    .iter()
                    .find(|known| known.as_str() == word)
                    .copied()
                    .ok_or_else(|| $crate::word::NoSuchWord { word: word.to_owned(), known: known().collect() })
            }
        }

        impl From<$name> for $crate::value::Value {
            fn from(word: $name) -> Self {
                Self::from(word.as_str())
            }
        }
    };
}

#[doc(inline)]
pub use __words as words;
