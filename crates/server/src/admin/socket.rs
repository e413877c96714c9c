//! The admin socket of a running server: a file that only its owner can open. One JSON request in a
//! line, one JSON answer in a line: `{"ok":…}` or `{"error":"…"}`.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

use super::{AdminDesk, AdminError, AdminRequest, execute};

/// The longest request: an import file of a merchant's whole history.
const REQUEST_BYTES_MAX: u64 = 1 << 30;

/// Where a data folder's socket is.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("admin.sock")
}

/// Serves the socket until `stop` turns true. Call only while holding the folder's instance lock: a
/// socket left by a dead process is removed.
pub async fn listen(
    folder: &Path,
    desk: Arc<AdminDesk>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let path = path(folder);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    while !*stop.borrow() {
        tokio::select! {
            _ = stop.changed() => {}
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let desk = desk.clone();
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, &desk).await {
                        tracing::warn!(%error, "an admin connection broke");
                    }
                });
            }
        }
    }
    let _ = std::fs::remove_file(&path);
    Ok(())
}

async fn answer(stream: UnixStream, desk: &AdminDesk) -> io::Result<()> {
    let mut stream = BufReader::new(stream.take(REQUEST_BYTES_MAX));
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let result = match serde_json::from_str::<AdminRequest>(&line) {
        Ok(request) => execute(desk, request).await,
        Err(error) => Err(AdminError(format!("the request cannot be read: {error}"))),
    };
    let answer = match result {
        Ok(value) => json!({ "ok": value }),
        Err(error) => json!({ "error": error.to_string() }),
    };
    let stream = stream.get_mut().get_mut();
    stream.write_all(format!("{answer}\n").as_bytes()).await?;
    stream.shutdown().await
}

/// Asks the running server of a data folder. `None` when none runs there.
pub async fn ask(
    folder: &Path,
    request: &AdminRequest,
) -> io::Result<Option<Result<Value, AdminError>>> {
    let stream = match UnixStream::connect(path(folder)).await {
        Ok(stream) => stream,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut stream = BufReader::new(stream);
    let text = serde_json::to_string(request).map_err(io::Error::other)?;
    stream.write_all(format!("{text}\n").as_bytes()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut answer: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
    Ok(Some(match answer.get("error").and_then(Value::as_str) {
        Some(error) => Err(AdminError(error.to_owned())),
        None => Ok(answer["ok"].take()),
    }))
}
