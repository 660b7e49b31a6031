//! An app that is registered at a GitHub, as that GitHub describes it.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use crate::{display_text::DisplayText, github::Login};

/// What `GET /app` says (GitHub REST, "Get the authenticated app"). All of it but the id may change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Its id, for ever.
    pub id: u64,
    /// What stands in its addresses. It follows the name.
    pub slug: DisplayText,
    /// What it is called at GitHub, which need not be what we proposed.
    pub name: DisplayText,
    /// Its page. Installing starts below it.
    pub html_url: DisplayText,
    /// Who owns it, and may delete it.
    pub owner: Option<Login>,
    /// The owner's id, which stays when they are called something else; unknown of what was written before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<u64>,
    /// What it may do: `contents` is `write`, and so on.
    pub permissions: BTreeMap<String, String>,
    /// What it is told of.
    pub events: Vec<String>,
}

impl App {
    /// Where the pages of its GitHub begin: `https://github.com/apps/SLUG` is below there, and
    /// `https://HOST/github-apps/SLUG` on a server of one's own.
    pub fn origin(&self) -> &str {
        let page = self.html_url.as_str();
        let origin = page.split("/github-apps/").next().unwrap_or(page);
        origin.split("/apps/").next().unwrap_or(origin)
    }

    /// The list of its owner's apps, for whoever may see it: it is there whatever the app is called.
    pub fn list_url(&self) -> String {
        match &self.owner {
            Some(owner) => format!("{}/organizations/{owner}/settings/apps", self.origin()),
            None => format!("{}/settings/apps", self.origin()),
        }
    }

    /// Where its owner and the managers of its apps find its settings; its page where nobody knows the owner.
    pub fn settings_url(&self) -> String {
        match &self.owner {
            Some(owner) => format!("{}/organizations/{owner}/settings/apps/{}", self.origin(), self.slug),
            None => self.html_url.to_string(),
        }
    }
}

/// SHA-256 of a key's public half in DER (SubjectPublicKeyInfo), in base64: what GitHub shows beside each private key.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyFingerprint(String);

impl KeyFingerprint {
    /// Of this digest's text, 44 characters of base64.
    pub const fn new(base64: String) -> Self {
        Self(base64)
    }

    /// Without the word in front.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SHA256:{}", self.0)
    }
}

impl fmt::Debug for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
