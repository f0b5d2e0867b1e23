//! Which Postgres servers are installed, and which of them suits a cluster.
//!
//! Distributions keep the server's programs out of PATH (Debian: one folder per major version; Homebrew: kegs), so the
//! usual places are searched too. A version older than [`OLDEST_MAJOR`] is never used.

use super::{Error, OLDEST_MAJOR};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The environment variable that names the one folder to use.
pub const VARIABLE: &str = "PLUMBLINE_POSTGRES_BIN";

/// Folders in which packages put `bin`; `*` stands for any one name that begins so.
const PLACES: [&str; 6] = [
    "/usr/lib/postgresql/*",
    "/usr/pgsql-*",
    "/opt/homebrew/opt/postgresql@*",
    "/usr/local/opt/postgresql@*",
    "/Applications/Postgres.app/Contents/Versions/*",
    "/usr/local/pgsql",
];

/// One installed server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The folder with `postgres` and `initdb`.
    pub dir: PathBuf,
    /// Its major version.
    pub major: u32,
}

impl Binaries {
    /// The path of one of its programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Reads the version of the server in `dir`, or says why it cannot be used.
    fn probe(dir: &Path) -> Result<Self, String> {
        // A PATH entry is often a link into the package's folder, where the server looks for its own files.
        let postgres = dir.join("postgres").canonicalize().map_err(|e| format!("`postgres` there: {e}"))?;
        let dir = postgres.parent().unwrap_or(dir).to_path_buf();
        if !dir.join("initdb").is_file() {
            return Err("it has no `initdb`".into());
        }
        let output =
            Command::new(&postgres).arg("--version").output().map_err(|e| format!("`postgres --version`: {e}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let major = parse_major(&text).ok_or_else(|| format!("`postgres --version` answered {text:?}"))?;
        if major < OLDEST_MAJOR {
            return Err(format!("it is Postgres {major}"));
        }
        Ok(Self { dir, major })
    }
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is 15, `17beta1` is 17.
fn parse_major(version: &str) -> Option<u32> {
    let word = version.split_whitespace().nth(2)?;
    let digits = word.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

/// Every usable server, newest first; among equals PATH's first. With `PLUMBLINE_POSTGRES_BIN` set, that one alone.
///
/// # Errors
/// [`Error::NotUsable`] when the variable names something else than a server.
pub fn find_all() -> Result<Vec<Binaries>, Error> {
    if let Some(dir) = std::env::var_os(VARIABLE).filter(|v| !v.is_empty()) {
        let dir = PathBuf::from(dir);
        return match Binaries::probe(&dir) {
            Ok(found) => Ok(vec![found]),
            Err(reason) => Err(Error::NotUsable { dir, reason }),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(search(&path, &PLACES))
}

/// [`find_all`] with the places given.
fn search(path: &OsStr, places: &[&str]) -> Vec<Binaries> {
    let in_path = std::env::split_paths(path).filter(|dir| dir.join("postgres").exists());
    let in_places = places.iter().flat_map(|place| expand(place)).map(|dir| dir.join("bin"));
    let mut found: Vec<Binaries> = Vec::new();
    for dir in in_path.chain(in_places) {
        if let Ok(binaries) = Binaries::probe(&dir)
            && !found.contains(&binaries)
        {
            found.push(binaries);
        }
    }
    found.sort_by_key(|b| std::cmp::Reverse(b.major));
    found
}

/// The folders that a place with a `*` in its last part stands for.
fn expand(place: &str) -> Vec<PathBuf> {
    let Some(prefix) = place.strip_suffix('*') else {
        return vec![place.into()];
    };
    let (parent, start) = prefix.rsplit_once('/').unwrap_or(("", prefix));
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(start)).map(|e| e.path()).collect()
}

/// The server for a new cluster, or for an existing one of major version `wanted`.
pub(super) fn choose(found: &[Binaries], wanted: Option<u32>, cluster: &Path) -> Result<Binaries, Error> {
    let newest = found.first().ok_or(Error::NotInstalled)?;
    let Some(wanted) = wanted else {
        return Ok(newest.clone());
    };
    found.iter().find(|b| b.major == wanted).cloned().ok_or_else(|| Error::WrongVersion {
        dir: cluster.into(),
        wanted,
        installed: found.iter().map(|b| b.major.to_string()).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A folder with programs that answer `--version` as given.
    fn fake(root: &Path, name: &str, version: &str) -> PathBuf {
        let bin = root.join(name).join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        for program in ["postgres", "initdb"] {
            let path = bin.join(program);
            std::fs::write(&path, format!("#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        bin
    }

    #[test]
    fn nothing_installed_names_the_packages() {
        let error = choose(&search(OsStr::new("/nonexistent"), &[]), None, Path::new("x")).unwrap_err().to_string();
        assert!(error.contains("apt-get install postgresql") && error.contains("brew install"), "{error}");
    }

    #[test]
    fn too_old_and_half_installed_ones_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        fake(root.path(), "13", "13.9");
        std::fs::remove_file(fake(root.path(), "18", "18.0").join("initdb")).unwrap();
        let place = format!("{}/*", root.path().display());
        assert_eq!(search(OsStr::new(""), &[&place]), []);
    }

    #[test]
    fn the_newest_comes_first_and_path_beats_a_place_of_the_same_version() {
        let root = tempfile::tempdir().unwrap();
        let own = fake(root.path(), "own", "16.2");
        fake(root.path(), "v15", "15.18 (Debian 15.18-0+deb12u1)");
        fake(root.path(), "v16", "16.4");
        fake(root.path(), "v17", "17beta1");
        let place = format!("{}/v*", root.path().display());
        let found = search(own.as_os_str(), &[&place]);
        assert_eq!(found.iter().map(|b| b.major).collect::<Vec<_>>(), [17, 16, 16, 15]);
        assert_eq!(found[1].dir, own.canonicalize().unwrap());
    }

    #[test]
    fn a_cluster_keeps_its_version() {
        let found = [17, 15].map(|major| Binaries { dir: PathBuf::from("/x"), major });
        assert_eq!(choose(&found, Some(15), Path::new("x")).unwrap().major, 15);
        let error = choose(&found, Some(16), Path::new("x")).unwrap_err().to_string();
        assert!(error.contains("made by Postgres 16") && error.contains("17, 15"), "{error}");
    }
}
