//! The habits of the text: how long, how wide, and what is not left lying about.

use super::rust_text::{lines_with_word, split};
use super::{File, Finding, Tree};

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 900;

/// Words that mark unfinished work. They stand in pieces so that this file passes its own check.
const UNFINISHED: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Files that a tool writes; their text is not ours to shape.
const WRITTEN_BY_TOOLS: [&str; 2] = ["Cargo.lock", "package-lock.json"];

const SOURCES: [&str; 9] = [".rs", ".py", ".js", ".mjs", ".sh", ".sql", ".html", ".css", ".toml"];

/// Checks every file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        if WRITTEN_BY_TOOLS.iter().any(|name| file.path.ends_with(name)) {
            continue;
        }
        size(file, &mut findings);
        left_lying_about(file, &mut findings);
        if file.path.ends_with(".rs") {
            no_sleep_in_tests(file, &mut findings);
        }
        if file.path.ends_with(".md") {
            one_title(file, &mut findings);
        }
    }
    findings
}

fn size(file: &File, findings: &mut Vec<Finding>) {
    let lines = file.text.lines().count();
    let source = SOURCES.iter().any(|ending| file.path.ends_with(ending));
    if source && lines > FILE_LINES_MAX {
        let message = format!("{lines} lines; split it ({FILE_LINES_MAX} at most)");
        findings.push(Finding::new(&file.path, 0, message));
    }
    if !file.path.ends_with(".rs") {
        return;
    }
    for (index, line) in file.text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > COLUMNS_MAX {
            let message = format!("{columns} columns ({COLUMNS_MAX} at most)");
            findings.push(Finding::new(&file.path, index + 1, message));
        }
    }
}

fn left_lying_about(file: &File, findings: &mut Vec<Finding>) {
    for word in UNFINISHED {
        for line in lines_with_word(&file.text, word) {
            findings.push(Finding::new(&file.path, line, format!("{word} is unfinished work")));
        }
    }
    for (index, line) in file.text.lines().enumerate() {
        if let Some(path) = MACHINE_PATHS.iter().find(|path| names_path(line, path)) {
            let message = format!("{path}… exists on one machine only");
            findings.push(Finding::new(&file.path, index + 1, message));
        }
    }
}

/// Whether `path` begins an absolute path in `line`; `docs` + `/wo…` in a longer path does not.
fn names_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-~}/".contains(c))
    })
}

/// A test waits for an event, not for a time: a sleep is either too short or too long.
fn no_sleep_in_tests(file: &File, findings: &mut Vec<Finding>) {
    let code = split(&file.text).code;
    let first = if file.path.contains("/tests/") || file.path.ends_with("/tests.rs") {
        0
    } else {
        let marked = |line: &str| line.trim() == "#[cfg(test)]";
        code.lines().position(marked).unwrap_or(usize::MAX)
    };
    for line in lines_with_word(&code, "sleep") {
        if line > first {
            findings.push(Finding::new(
                &file.path,
                line,
                "a test waits for an event, not for time",
            ));
        }
    }
}

fn one_title(file: &File, findings: &mut Vec<Finding>) {
    let mut fenced = false;
    let mut titles = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced && line.starts_with("# ") {
            titles.push(index + 1);
        }
    }
    if titles.len() != 1 {
        let line = titles.get(1).copied().unwrap_or(0);
        let message = format!("{} titles; a page has one", titles.len());
        findings.push(Finding::new(&file.path, line, message));
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
    fn a_wide_line_is_found_and_a_full_one_is_not() {
        let text = format!("{}\n{}\n", "x".repeat(100), "x".repeat(101));
        assert_eq!(lines("crates/domain/src/pay.rs", &text), [2]);
        assert_eq!(lines("crates/domain/src/pay.rs", &"細".repeat(100)), [0; 0]);
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(lines("crates/domain/src/pay.rs", &"x\n".repeat(901)), [0]);
        assert!(lines("crates/domain/src/pay.rs", &"x\n".repeat(900)).is_empty());
    }

    #[test]
    fn unfinished_work_is_found_in_any_file() {
        for word in UNFINISHED {
            assert_eq!(lines("scripts/test.sh", &format!("ok\n# {word}: later\n")), [2]);
            assert!(lines("scripts/test.sh", &format!("sk_test_{word}ab\n")).is_empty());
        }
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        for path in MACHINE_PATHS {
            assert_eq!(lines("README", &format!("see {path}notes.txt\n")), [1]);
            assert!(lines("README", &format!("see docs{path}notes.txt\n")).is_empty());
        }
    }

    #[test]
    fn a_sleep_in_a_test_is_found_and_one_outside_is_not() {
        let text =
            "fn poll() { thread::sleep(x) }\n#[cfg(test)]\nmod tests {\n  sleep(y).await\n}\n";
        assert_eq!(lines("crates/engine/src/due.rs", text), [4]);
        assert_eq!(lines("crates/engine/tests/it/due.rs", "time::sleep(x)\n"), [1]);
        assert_eq!(lines("crates/engine/src/due/tests.rs", "time::sleep(x)\n"), [1]);
    }

    #[test]
    fn a_page_with_no_title_or_two_is_found() {
        assert_eq!(lines("docs/a.md", "# One\n# Two\n"), [2]);
        assert_eq!(lines("docs/a.md", "text\n"), [0]);
        assert!(lines("docs/a.md", "# One\n```sh\n# a comment\n```\n").is_empty());
    }
}
