//! The embedded web bundle, as `build.rs` made it.

/// One embedded file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asset {
    /// The content, compressed if `gzip`.
    pub(crate) bytes: &'static [u8],
    /// Whether `bytes` are gzip.
    pub(crate) gzip: bool,
    /// What it is.
    pub(crate) content_type: &'static str,
    /// Changes with the content.
    pub(crate) etag: &'static str,
}

// `static ASSETS: &[(&str, Asset)]`, sorted by path.
include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The file at a path without leading slash, such as `index.html`.
pub(crate) fn lookup(path: &str) -> Option<Asset> {
    let found = ASSETS.binary_search_by_key(&path, |(name, _)| name).ok()?;
    ASSETS.get(found).map(|(_, asset)| *asset)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most bytes that a browser may have to fetch for node, console and script API: 300 KiB
    /// (docs/adr/0011). What it is now is printed by the bench.
    const BUNDLE_BYTES_MAX: usize = 300 * 1024;

    #[test]
    fn every_file_is_found_by_its_path_and_nothing_else_is() {
        for (path, _) in ASSETS {
            assert!(lookup(path).is_some(), "{path}");
        }
        assert!(lookup("index.html").is_some());
        assert!(lookup("").is_none());
        assert!(lookup("../Cargo.toml").is_none());
    }

    /// The same for what is fetched when a recording is made or replayed (docs/adr/0014).
    const LAB_BYTES_MAX: usize = 420 * 1024;

    /// Files that a tab fetches only for recordings.
    fn is_lab(path: &str) -> bool {
        path.starts_with("lab") || path.starts_with("replay")
    }

    /// Types are for those who write scripts; no browser fetches them.
    fn is_fetched(path: &str) -> bool {
        !path.ends_with(".d.ts")
    }

    #[test]
    fn the_bundle_keeps_within_its_budget() {
        let bytes = |lab: bool| -> usize {
            let files = ASSETS
                .iter()
                .filter(|(path, _)| is_fetched(path) && is_lab(path) == lab);
            files.map(|(_, asset)| asset.bytes.len()).sum()
        };
        let (app, lab) = (bytes(false), bytes(true));
        assert!(app <= BUNDLE_BYTES_MAX, "{app} bytes");
        assert!(lab <= LAB_BYTES_MAX, "{lab} bytes");
    }
}
