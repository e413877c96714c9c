//! The arrows between the rooms: who may depend on whom.
//!
//! The compiler would accept `domain` with a web framework in it. This table does not: a new edge
//! is a decision, and it is made here, in sight of everybody.

use super::{Finding, Tree};

/// One room: its height in the house, the rooms that it may use, and the libraries it may name.
struct Room {
    name: &'static str,
    height: u8,
    rooms: &'static [&'static str],
    libraries: &'static [&'static str],
}

/// The house, bottom to top. ARCHITECTURE.md draws the same picture.
const HOUSE: [Room; 10] = [
    Room {
        name: "domain",
        height: 0,
        rooms: &[],
        libraries: &["jiff", "iso_currency", "rust_decimal", "sha2", "thiserror"],
    },
    Room {
        name: "sign",
        height: 0,
        rooms: &[],
        libraries: &[
            "aws-lc-rs",
            "md-5",
            "x509-cert",
            "base64",
            "hex",
            "subtle",
            "zeroize",
            "thiserror",
        ],
    },
    Room {
        name: "store",
        height: 1,
        rooms: &["domain"],
        libraries: &["rusqlite", "serde_json", "tracing", "thiserror"],
    },
    Room {
        name: "engine",
        height: 2,
        rooms: &["domain", "store"],
        libraries: &["tokio", "tracing", "thiserror"],
    },
    Room {
        name: "channels",
        height: 3,
        rooms: &["domain", "sign"],
        libraries: &[
            "reqwest",
            "rustls",
            "serde",
            "serde_json",
            "url",
            "form_urlencoded",
            "percent-encoding",
            "ipnet",
            "tokio",
            "tracing",
            "thiserror",
        ],
    },
    Room {
        name: "dialects",
        height: 3,
        rooms: &["domain", "engine", "sign"],
        libraries: &[
            "axum",
            "serde",
            "serde_json",
            "base64",
            "form_urlencoded",
            "percent-encoding",
            "tokio",
            "tracing",
            "thiserror",
        ],
    },
    Room { name: "pages", height: 3, rooms: &[], libraries: &["askama"] },
    Room {
        name: "simulator",
        height: 4,
        rooms: &["domain", "sign"],
        libraries: &[
            "axum",
            "http-body-util",
            "rustls",
            "encoding_rs",
            "zip",
            "rusqlite",
            "serde",
            "serde_json",
            "reqwest",
            "form_urlencoded",
            "percent-encoding",
            "askama",
            "qrcode",
            "tokio",
            "tracing",
            "thiserror",
        ],
    },
    Room {
        name: "server",
        height: 4,
        rooms: &["domain", "engine", "dialects", "pages", "sign"],
        libraries: &[
            "askama",
            "axum",
            "form_urlencoded",
            "tower-http",
            "hyper",
            "hyper-util",
            "tokio",
            "serde",
            "serde_json",
            "prometheus-client",
            "tracing",
            "thiserror",
        ],
    },
    Room { name: "sycee", height: 5, rooms: ANY, libraries: ANY },
];

/// The binary wires everything, so it may name everything below it.
const ANY: &[&str] = &["*"];

/// One dependency line of a manifest.
#[derive(Debug, PartialEq, Eq)]
struct Dependency {
    name: String,
    line: usize,
    for_tests: bool,
    inherited: bool,
}

/// Checks every manifest below `crates/` against the table.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.below("crates/") {
        let Some(name) =
            file.path.strip_prefix("crates/").and_then(|p| p.strip_suffix("/Cargo.toml"))
        else {
            continue;
        };
        let Some(room) = HOUSE.iter().find(|room| room.name == name) else {
            findings.push(Finding::new(&file.path, 0, format!("{name} is no room of the house")));
            continue;
        };
        for dependency in dependencies(&file.text) {
            if let Some(message) = complaint(room, &dependency) {
                findings.push(Finding::new(&file.path, dependency.line, message));
            }
        }
    }
    findings
}

fn complaint(room: &Room, dependency: &Dependency) -> Option<String> {
    let name = dependency.name.as_str();
    if !dependency.inherited {
        return Some(format!("{name}: versions stand in the root manifest only"));
    }
    let allowed = |list: &[&str]| list == ANY || list.contains(&name);
    match HOUSE.iter().find(|other| other.name == name) {
        Some(other) if dependency.for_tests => (other.height >= room.height)
            .then(|| format!("tests of {} may not look up to {name}", room.name)),
        Some(_) => {
            (!allowed(room.rooms)).then(|| format!("no arrow leads from {} to {name}", room.name))
        }
        None if dependency.for_tests => None,
        None => (!allowed(room.libraries)).then(|| format!("{} may not name {name}", room.name)),
    }
}

/// Reads the dependency tables of a manifest. A one-line reading of TOML is enough: manifests are
/// formatted, and a line that is not understood is a finding anyway because it is not inherited.
fn dependencies(manifest: &str) -> Vec<Dependency> {
    let mut found = Vec::new();
    let mut section = String::new();
    for (index, line) in manifest.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if let Some(header) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = header.to_owned();
            if let Some((_, name)) = section.split_once("dependencies.") {
                let for_tests = section.contains("dev-dependencies");
                let name = name.to_owned();
                found.push(Dependency { name, line: index + 1, for_tests, inherited: false });
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        if !section.ends_with("dependencies") || section.starts_with("workspace") {
            continue;
        }
        let key = key.trim();
        let (name, inherited) = match key.strip_suffix(".workspace") {
            Some(name) => (name, value.trim() == "true"),
            None => (key, value.replace(' ', "").contains("workspace=true")),
        };
        let for_tests = section.ends_with("dev-dependencies");
        found.push(Dependency { name: name.to_owned(), line: index + 1, for_tests, inherited });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    fn findings(name: &str, manifest: &str) -> Vec<String> {
        let path = format!("crates/{name}/Cargo.toml");
        check(&tree(&[(&path, manifest)])).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_manifest_as_drawn_passes() {
        let manifest = "[dependencies]\ndomain.workspace = true\ntokio = { workspace = true }\n\
                        [dev-dependencies]\ntempfile.workspace = true\nstore.workspace = true\n";
        assert_eq!(findings("engine", manifest), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_upwards_is_found() {
        let found = findings("domain", "[dependencies]\nengine.workspace = true\n");
        assert_eq!(found, ["no arrow leads from domain to engine"]);
    }

    #[test]
    fn an_arrow_sideways_is_found() {
        let found = findings("simulator", "[dependencies]\nchannels.workspace = true\n");
        assert_eq!(found, ["no arrow leads from simulator to channels"]);
    }

    #[test]
    fn tests_may_look_down_but_not_up() {
        let manifest = "[dev-dependencies]\nsign.workspace = true\nserver.workspace = true\n";
        let found = findings("engine", manifest);
        assert_eq!(found, ["tests of engine may not look up to server"]);
    }

    #[test]
    fn a_library_outside_the_table_is_found() {
        let found = findings("domain", "[dependencies]\nserde = { workspace = true }\n");
        assert_eq!(found, ["domain may not name serde"]);
    }

    #[test]
    fn a_version_outside_the_root_is_found() {
        for manifest in
            ["[dependencies]\njiff = \"0.2\"\n", "[dependencies.jiff]\nversion = \"1\"\n"]
        {
            let found = findings("domain", manifest);
            assert_eq!(found[0], "jiff: versions stand in the root manifest only");
        }
    }

    #[test]
    fn a_room_that_nobody_drew_is_found() {
        assert_eq!(findings("misc", "[dependencies]\n"), ["misc is no room of the house"]);
    }

    #[test]
    fn every_arrow_of_the_table_points_down() {
        let height = |name: &str| HOUSE.iter().find(|room| room.name == name).map(|r| r.height);
        for room in HOUSE.iter().filter(|room| room.rooms != ANY) {
            for below in room.rooms {
                assert!(height(below).unwrap() < room.height, "{} to {below}", room.name);
            }
        }
    }
}
