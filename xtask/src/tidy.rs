//! The checks and what they look at.
//!
//! A check is a function from the files of the tree to findings, so that a test can hand it a small
//! bad tree and see it fail.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

mod arrows;
mod habits;
mod rust_text;
mod walls;

/// Folders that hold what was built or fetched, not what was written.
const SKIPPED_FOLDERS: [&str; 6] =
    ["target", "node_modules", "__pycache__", "sycee-data", ".git", ".test"];

/// One text file, by its path from the root with `/` between the parts.
#[derive(Debug)]
pub struct File {
    pub path: String,
    pub text: String,
}

/// Every text file of the repository.
#[derive(Debug)]
pub struct Tree {
    pub files: Vec<File>,
}

/// One broken rule, at one line (0 when the whole file is meant).
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.message)
    }
}

impl Tree {
    /// Reads the tree below `root`. Files that are not UTF-8 text (pictures) are left out.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        read_folder(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    fn below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a File> {
        self.files.iter().filter(move |file| file.path.starts_with(prefix))
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                read_folder(&entry.path(), &format!("{prefix}{name}/"), files)?;
            }
        } else if kind.is_file()
            && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
        {
            files.push(File { path: format!("{prefix}{name}"), text });
        }
    }
    Ok(())
}

/// Runs every check.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = arrows::check(tree);
    findings.extend(walls::check(tree));
    findings.extend(habits::check(tree));
    findings
}

#[cfg(test)]
fn tree(files: &[(&str, &str)]) -> Tree {
    let file = |(path, text): &(&str, &str)| File { path: (*path).into(), text: (*text).into() };
    Tree { files: files.iter().map(file).collect() }
}
