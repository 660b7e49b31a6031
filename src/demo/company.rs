//! Who works there, on what, and how they write: data only. Read by the histories and the set-up of the demo.

/// How a team writes the key of an issue into its subjects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `SHOP-12 Keep the basket`
    Before,
    /// `SHOP-12: Keep the basket`
    Colon,
    /// `[SHOP-12] Keep the basket`
    Brackets,
    /// `Keep the basket (SHOP-12)`
    Behind,
    /// `fix(basket): keep the basket`, with the key in the body
    Conventional,
}

/// A repository.
#[derive(Debug)]
pub struct Spec {
    /// Where it lies, below the folder of all.
    pub path: &'static str,
    /// How many commits its main branch has, about.
    pub commits: usize,
    /// The projects of its issues; the first has most.
    pub projects: &'static [&'static str],
    /// How its people write keys.
    pub style: Style,
    /// What they work on.
    pub areas: &'static [&'static str],
    /// Its files.
    pub files: &'static [&'static str],
    /// Who writes, by their places in [`PEOPLE`].
    pub people: &'static [usize],
}

/// The issue that the tour is about; several repositories work on it.
pub const STORY: &str = "SHOP-128";
/// The repository that is taken away while everybody looks.
pub const GONE: &str = "intranet/wiki.git";

/// Names and addresses; nobody real is called so at that company, as there is none.
pub(super) const PEOPLE: &[(&str, &str)] = &[
    ("Maria Jensen", "maria.jensen@shop.example"),
    ("Tomás Ortega", "tomas.ortega@shop.example"),
    ("Aiko Tanaka", "aiko.tanaka@shop.example"),
    ("Chidi Okafor", "chidi.okafor@shop.example"),
    ("Zoë Lindqvist", "zoe.lindqvist@shop.example"),
    ("Priya Raman", "priya.raman@shop.example"),
    ("Jonas Weber", "jonas.weber@shop.example"),
    ("Léa Moreau", "lea.moreau@shop.example"),
    ("Sam Whitaker", "sam.whitaker@contractor.example"),
    ("release-bot", "release-bot@shop.example"),
];

/// All of them.
pub const REPOSITORIES: &[Spec] = &[
    Spec {
        path: "shop/web.git",
        commits: 190,
        projects: &["SHOP", "SHOP", "SHOP", "PAY"],
        style: Style::Before,
        areas: &[
            "basket",
            "checkout page",
            "product page",
            "search box",
            "address form",
            "image gallery",
            "footer",
            "login",
        ],
        files: &[
            "README.md",
            "package.json",
            "src/basket.ts",
            "src/checkout.ts",
            "src/search.ts",
            "src/login.ts",
            "styles/main.css",
            "tests/checkout.test.ts",
        ],
        people: &[0, 2, 4, 7],
    },
    Spec {
        path: "shop/api.git",
        commits: 220,
        projects: &["SHOP", "SHOP", "PAY", "OPS"],
        style: Style::Colon,
        areas: &[
            "order service",
            "stock levels",
            "price rules",
            "voucher check",
            "customer records",
            "cache",
            "event stream",
        ],
        files: &[
            "README.md",
            "go.mod",
            "orders/service.go",
            "orders/store.go",
            "prices/rules.go",
            "stock/levels.go",
            "docs/api.md",
        ],
        people: &[0, 1, 3, 5],
    },
    Spec {
        path: "shop/catalogue.git",
        commits: 110,
        projects: &["SHOP"],
        style: Style::Behind,
        areas: &["category tree", "product import", "image sizes", "search index", "translations"],
        files: &[
            "README.md",
            "catalogue/tree.py",
            "catalogue/imports.py",
            "catalogue/images.py",
            "tests/test_imports.py",
        ],
        people: &[2, 5, 8],
    },
    Spec {
        path: "pay/gateway.git",
        commits: 160,
        projects: &["PAY", "PAY", "PAY", "SHOP"],
        style: Style::Brackets,
        areas: &["card form", "refunds", "3-D Secure", "retry queue", "bank callbacks", "fraud score", "receipts"],
        files: &[
            "README.md",
            "Cargo.toml",
            "src/card.rs",
            "src/refund.rs",
            "src/callback.rs",
            "src/retry.rs",
            "tests/refunds.rs",
        ],
        people: &[1, 3, 6],
    },
    Spec {
        path: "pay/ledger.git",
        commits: 130,
        projects: &["PAY"],
        style: Style::Colon,
        areas: &["double entry", "month end", "currency rounding", "export for the auditors", "account balances"],
        files: &["README.md", "src/entry.rs", "src/balance.rs", "src/export.rs", "docs/month-end.md"],
        people: &[3, 6, 9],
    },
    Spec {
        path: "ops/infrastructure.git",
        commits: 180,
        projects: &["OPS", "OPS", "OPS", "SHOP"],
        style: Style::Colon,
        areas: &[
            "load balancer",
            "backups",
            "alerts",
            "database upgrade",
            "certificates",
            "log retention",
            "build agents",
        ],
        files: &[
            "README.md",
            "network/main.tf",
            "database/main.tf",
            "alerts/rules.yaml",
            "runbooks/restore.md",
            "runbooks/on-call.md",
        ],
        people: &[4, 6, 9],
    },
    Spec {
        path: "app/mobile.git",
        commits: 150,
        projects: &["APP", "APP", "APP", "SHOP"],
        style: Style::Conventional,
        areas: &["onboarding", "basket", "notifications", "barcode scanner", "offline mode", "settings"],
        files: &[
            "README.md",
            "app/Basket.kt",
            "app/Scanner.kt",
            "app/Offline.kt",
            "ios/Basket.swift",
            "ios/Scanner.swift",
        ],
        people: &[2, 7, 8],
    },
    Spec {
        path: "old/website.git",
        commits: 70,
        projects: &["WEB"],
        style: Style::Before,
        areas: &["news page", "contact form", "career page", "cookie banner"],
        files: &["index.html", "contact.php", "css/site.css", "js/site.js"],
        people: &[4, 8],
    },
    Spec {
        path: GONE,
        commits: 60,
        projects: &["OPS"],
        style: Style::Behind,
        areas: &["holiday calendar", "handbook", "meeting rooms"],
        files: &["README.md", "handbook/travel.md", "handbook/hardware.md"],
        people: &[5, 6, 7],
    },
];

/// The repositories in which people work on the [`STORY`].
pub(super) const OF_THE_STORY: &[&str] = &["shop/web.git", "shop/api.git", "pay/gateway.git", "app/mobile.git"];

pub(super) const DEEDS: &[&str] = &[
    "Fix",
    "Rework",
    "Speed up",
    "Test",
    "Document",
    "Simplify",
    "Log more of",
    "Clean up",
    "Harden",
    "Translate",
    "Measure",
    "Split",
];
pub(super) const CIRCUMSTANCES: &[&str] = &[
    "",
    "",
    " for guests",
    " on small screens",
    " when the network is slow",
    " after a restart",
    " for large orders",
    " without JavaScript",
    " behind a flag",
    " for the Nordic shops",
    " during a deploy",
    " on the first visit",
];
/// Subjects without any key.
pub(super) const CHORES: &[&str] = &[
    "Fix a typo",
    "Bump dependencies",
    "Format",
    "Remove dead code",
    "Ignore build output",
    "Update the changelog",
    "Rename a variable",
    "Revert a debug print",
];
/// Subjects that hold what only looks like a key.
pub(super) const LOOKALIKES: &[&str] = &[
    "Read file names as UTF-8",
    "Sign downloads with SHA-256",
    "Write dates as ISO-8601",
    "Update for CVE-2025-31337",
    "Answer as RFC-9457 has it",
    "Require TLS-1 no longer",
];
pub(super) const BODIES: &[&str] = &[
    "Support sees this about once a week; the log of the last one is in the ticket.",
    "The old way is kept for one release, so that nobody has to hurry.",
    "Measured before and after on the staging data: 340 ms became 45 ms.",
    "Found while looking for something else.",
    "The customer agreed to try it first; see the notes of Tuesday.",
];
