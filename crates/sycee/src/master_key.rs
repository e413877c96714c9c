//! The key under which secrets are sealed at rest: from the settings, or a file of the data folder.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use sign::seal::Sealer;

/// Opens the master key: `configured` (64 hex digits), or `master.key` in the folder, which is made
/// at the first start.
pub fn open(folder: &Path, configured: Option<&str>) -> Result<Sealer> {
    let text = match configured {
        Some(text) => text.to_owned(),
        None => from_file(&folder.join("master.key"))?,
    };
    let mut key = [0u8; 32];
    hex::decode_to_slice(text.trim(), &mut key).context(
        "the master key must be 64 hex digits; restore master.key from your backup, because \
         secrets sealed with it open with no other",
    )?;
    Ok(Sealer::new(key))
}

fn from_file(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(text) => {
            let mode = fs::metadata(path)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                let path = path.display();
                tracing::warn!("{path} can be read by others ({mode:o}); run: chmod 600 {path}");
            }
            Ok(text)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut key = [0u8; 32];
            sign::random::fill(&mut key);
            let text = hex::encode(key);
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .with_context(|| format!("cannot write {}", path.display()))?;
            file.write_all(format!("{text}\n").as_bytes())?;
            file.sync_all()?;
            Ok(text)
        }
        Err(error) => bail!("cannot read {}: {error}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_readable_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = open(folder.path(), None).unwrap().seal("p", b"x");
        let mode = fs::metadata(folder.path().join("master.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(open(folder.path(), None).unwrap().open("p", &sealed), Ok(b"x".to_vec()));
    }

    #[test]
    fn a_key_of_another_form_is_refused_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let error = open(folder.path(), Some("short")).unwrap_err();
        assert!(format!("{error:#}").contains("64 hex digits"));
        assert!(!folder.path().join("master.key").exists());
    }
}
