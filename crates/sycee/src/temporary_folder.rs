//! A folder that is removed when it goes out of scope.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use domain::ambient::random_alphanumeric;

use crate::ambient::SystemEntropy;

/// Removed with everything in it when dropped.
pub struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Makes a new folder that only its owner can open.
    pub fn create() -> Result<TemporaryFolder> {
        use std::os::unix::fs::DirBuilderExt;
        let name = format!("sycee-{}", random_alphanumeric(&SystemEntropy, 12));
        let path = std::env::temp_dir().join(name);
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(TemporaryFolder(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
