//! The walls inside the rooms: names that must not appear where a manifest cannot forbid them.

use super::rust_text::{lines_with_word, split};
use super::{File, Finding, Tree};

/// Modules of one room that must not know each other: each wire format is somebody else's contract.
const SIBLINGS: [(&str, &[&str]); 3] = [
    ("crates/dialects/src/", &["pingpp", "adapay", "youhaosuda", "yhsd", "payments_v1", "v1"]),
    ("crates/channels/src/", &["alipay", "wechat", "unionpay"]),
    ("crates/simulator/src/", &["alipay", "wechat", "unionpay"]),
];

/// Names that a room must not say, with the reason.
const UNSAID: [(&str, &[&str], &str); 2] = [
    (
        "crates/domain/src/",
        &["tokio", "serde", "serde_json", "rusqlite", "axum", "async", "SystemTime"],
        "rules are pure: no I/O, no clock, no wire format",
    ),
    (
        "crates/engine/src/",
        &["axum", "serde", "serde_json", "pingpp", "adapay", "alipay"],
        "use cases know no HTTP, no JSON, no dialect and no channel",
    ),
];

/// Rooms whose strings may hold SQL.
const SQL_ROOMS: [&str; 2] = ["crates/store/", "crates/simulator/"];

/// Beginnings of SQL statements, as they stand in a string.
const SQL: [&str; 8] = [
    "SELECT ",
    "INSERT INTO ",
    "UPDATE ",
    "DELETE FROM ",
    "CREATE TABLE ",
    "ALTER TABLE ",
    "DROP TABLE ",
    "PRAGMA ",
];

/// Checks every Rust file below `crates/`.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.below("crates/").filter(|file| file.path.ends_with(".rs")) {
        let views = split(&file.text);
        siblings(file, &views.code, &mut findings);
        unsaid(file, &views.code, &mut findings);
        simulator_reads_for_itself(file, &views.code, &mut findings);
        sql_stays_home(file, &views.strings, &mut findings);
    }
    findings
}

fn siblings(file: &File, code: &str, findings: &mut Vec<Finding>) {
    for (room, modules) in SIBLINGS {
        let Some(inside) = file.path.strip_prefix(room) else { continue };
        let own = inside.split(['/', '.']).next().unwrap_or("");
        if !modules.contains(&own) {
            continue;
        }
        for other in modules.iter().filter(|other| **other != own) {
            for line in lines_with_word(code, other) {
                let message = format!("{own} may not name {other}");
                findings.push(Finding::new(&file.path, line, message));
            }
        }
    }
}

fn unsaid(file: &File, code: &str, findings: &mut Vec<Finding>) {
    for (room, words, reason) in UNSAID {
        if !file.path.starts_with(room) {
            continue;
        }
        for word in words {
            for line in lines_with_word(code, word) {
                findings.push(Finding::new(&file.path, line, format!("{word}: {reason}")));
            }
        }
    }
}

/// The simulator proves the connector only while it has its own reading of the channel's document.
fn simulator_reads_for_itself(file: &File, code: &str, findings: &mut Vec<Finding>) {
    if !file.path.starts_with("crates/simulator/") {
        return;
    }
    for (index, line) in code.lines().enumerate() {
        if line.contains("sign::alipay") || line.contains("channels::") {
            let message = "the simulator shares no reading of the wire with the connector";
            findings.push(Finding::new(&file.path, index + 1, message));
        }
    }
}

fn sql_stays_home(file: &File, strings: &str, findings: &mut Vec<Finding>) {
    // A test from outside may spoil a database to see what happens.
    if SQL_ROOMS.iter().any(|room| file.path.starts_with(room)) || file.path.contains("/tests/") {
        return;
    }
    for (index, line) in strings.lines().enumerate() {
        let text = line.trim().trim_start_matches('"').trim_start();
        if SQL.iter().any(|start| text.starts_with(start)) {
            findings.push(Finding::new(&file.path, index + 1, "SQL stands in the store only"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&tree(&[(path, text)])).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_dialect_that_names_another_is_found() {
        let text = "use super::wire;\nuse super::adapay::Amount;\n";
        assert_eq!(lines("crates/dialects/src/pingpp/charge.rs", text), [2]);
        assert_eq!(lines("crates/dialects/src/pingpp.rs", text), [2]);
    }

    #[test]
    fn the_room_itself_may_name_all_its_dialects() {
        assert!(lines("crates/dialects/src/lib.rs", "mod pingpp;\nmod adapay;\n").is_empty());
    }

    #[test]
    fn a_comment_may_name_another_dialect() {
        let text = "// Unlike adapay, the amount is an integer.\n";
        assert!(lines("crates/dialects/src/pingpp/charge.rs", text).is_empty());
    }

    #[test]
    fn domain_with_a_runtime_or_a_wire_format_is_found() {
        let text = "use serde::Serialize;\npub async fn pay() {}\ntokio::spawn(x);\n";
        let mut found = lines("crates/domain/src/pay.rs", text);
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    fn engine_with_json_is_found() {
        assert_eq!(lines("crates/engine/src/pay.rs", "serde_json::to_string(&x)\n"), [1]);
    }

    #[test]
    fn a_simulator_that_borrows_the_connectors_reading_is_found() {
        assert_eq!(lines("crates/simulator/src/alipay.rs", "use sign::alipay::text;\n"), [1]);
    }

    #[test]
    fn sql_outside_the_store_is_found() {
        let text = "let q = \"SELECT id FROM payment\";\n";
        assert_eq!(lines("crates/engine/src/pay.rs", text), [1]);
        assert!(lines("crates/store/src/sqlite/pay.rs", text).is_empty());
        assert!(lines("crates/server/tests/it/health.rs", text).is_empty());
    }

    #[test]
    fn talking_of_sql_in_a_comment_is_fine() {
        assert!(lines("crates/engine/src/pay.rs", "// SELECT id FROM payment\n").is_empty());
    }
}
