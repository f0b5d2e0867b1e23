//! Advisory file locks (flock), which the kernel releases when their process ends, however it ends.

use super::{Error, io};
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a taken lock is tried again.
const RETRY: Duration = Duration::from_millis(20);

/// Opens, or creates with mode 0600, a file to lock.
pub fn open(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .map_err(io("open", path))
}

/// Takes the exclusive lock on `path`, waiting up to `patience`. It is released when the file is dropped.
pub async fn exclusive(path: &Path, patience: Duration) -> Result<File, Error> {
    let file = open(path)?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(io("lock", path)(source)),
            Err(TryLockError::WouldBlock) if start.elapsed() > patience => {
                return Err(Error::Locked { path: path.into(), seconds: patience.as_secs() });
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(RETRY).await,
        }
    }
}

/// Whether nobody else holds `file`. On success the lock is held exclusively; otherwise a lock that was held may be lost.
pub fn is_sole_user(file: &File, path: &Path) -> Result<bool, Error> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(source)) => Err(io("lock", path)(source)),
    }
}
