//! The files and symlinks directly in a checkpoint's directory.

use std::sync::{Arc, OnceLock};

use crate::catalog::Catalog;
use crate::extent::VirtualFile;
use crate::tree::checkpoint::show::Show;
use crate::tree::{Content, Kind, state_file};
use crate::view::{CHECKPOINT_VIEWS, CheckpointView};

/// A file or symlink directly in the checkpoint's directory.
pub(crate) enum CheckpointFile {
    Text(Content<'static>),
    /// A checkpoint view. It is kept once it is requested, because generating it may be expensive.
    View(&'static CheckpointView, OnceLock<VirtualFile>),
}

impl CheckpointFile {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Text(content) => content.kind(),
            Self::View(..) => Kind::File,
        }
    }

    /// Returns true if the content depends on the values of the variables.
    pub(crate) fn reads_values(&self) -> bool {
        matches!(self, Self::View(view, _) if view.reads_values)
    }

    /// Returns true if the length is known without generating the content.
    pub(crate) fn is_made(&self) -> bool {
        match self {
            Self::Text(_) => true,
            Self::View(_, file) => file.get().is_some(),
        }
    }

    pub(crate) fn content(&self, catalog: &Arc<Catalog>) -> Content<'static> {
        match self {
            Self::Text(content) => content.clone(),
            Self::View(whole, file) => Content::File(file.get_or_init(|| (whole.file)(catalog)).clone()),
        }
    }
}

/// Returns the files that make TensorFlow accept the directory itself as the checkpoint, and the checkpoint views.
///
/// Some TensorFlow calls look for a state file in every directory: for them there is one that names the prefix in the
/// parent directory. Others take `ckpt-9/` as a prefix: for them there are hidden symlinks.
pub(crate) fn checkpoint_files<'a>(
    stem: &[u8],
    suffixes: impl Iterator<Item = &'a str>,
    catalog: &Catalog,
    show: &Show,
) -> Vec<(Vec<u8>, CheckpointFile)> {
    let beside = [b"../", stem].concat();
    let link = |suffix: &str| {
        (suffix.into(), CheckpointFile::Text(Content::Link([&beside, suffix.as_bytes()].concat().into())))
    };
    let mut tops: Vec<_> = suffixes.map(link).collect();
    tops.push((b"checkpoint".to_vec(), CheckpointFile::Text(Content::File(state_file(&beside)))));
    let wholes = CHECKPOINT_VIEWS.iter().filter(|whole| show.has(whole.name) && (whole.is_there)(catalog));
    tops.extend(wholes.map(|whole| (whole.name.into(), CheckpointFile::View(whole, OnceLock::new()))));
    tops.sort_by(|a, b| a.0.cmp(&b.0));
    tops
}
