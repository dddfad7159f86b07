//! The newest sound checkpoint of a source: a damaged one is skipped if there are older ones.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use crate::directory::Directory;
use crate::mounted_source::Error;
use crate::source;
use crate::source::{Candidates, Checkpoint, Located};
use crate::transform::damage::DamagedVariables;
use crate::transform::{Transform, TransformError, Transformed};

/// A newer checkpoint that is not whole, with the reason.
pub(crate) struct Skipped {
    /// The last component of its prefix.
    pub(crate) stem: OsString,
    /// The stem of the checkpoint that is used instead.
    instead: OsString,
    error: Error,
}

/// A checkpoint of a source, opened and transformed.
pub(crate) struct Opened {
    /// The checkpoint, with its variables under their new names.
    pub(crate) checkpoint: Checkpoint,
    /// The result of the transform.
    pub(crate) transformed: Transformed,
    /// The newer checkpoints that are damaged, the newest first.
    pub(crate) skipped: Vec<Skipped>,
    /// The damaged variables, if the caller accepts them.
    pub(crate) damaged: Option<Box<DamagedVariables>>,
}

/// Format: `ckpt-3 is not whole and not served; latest is ckpt-2`, and the reason.
impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stem, instead) = (self.stem.display(), self.instead.display());
        write!(f, "{stem} is not whole and not served; latest is {instead}\n{}", self.error)
    }
}

/// Opens the newest sound checkpoint, and transforms it.
///
/// # Errors
/// The error of the newest checkpoint, if no other one is sound.
pub(crate) fn open_newest(candidates: &Candidates, transform: &Transform) -> Result<Opened, Error> {
    let stem = |located: &Located| located.prefix.stem.clone();
    let open = |located: &Located| {
        let mut checkpoint = source::open_located(located)?;
        let applied = transform.apply_to(&checkpoint.stamp, &mut checkpoint.catalog);
        let several = candidates.of_directory.is_some();
        let advise = |error| advised(error, &checkpoint, &located.directory, several);
        let transformed = applied.map_err(advise)?;
        checkpoint.warnings.splice(0..0, candidates.notes(located));
        Ok((checkpoint, transformed))
    };
    let ((checkpoint, transformed), skipped) = first_sound(&candidates.located, stem, open)?;
    Ok(Opened { checkpoint, transformed, skipped, damaged: None })
}

/// Like [`open_newest`], but if no checkpoint is sound, opens the newest one with its damaged variables.
///
/// # Errors
/// The error of the newest checkpoint.
pub(crate) fn open_damaged(candidates: &Candidates, transform: &Transform) -> Result<Opened, Error> {
    match (open_newest(candidates, transform), candidates.located.first()) {
        (Err(Error::Transform(TransformError::Damaged(damaged))), Some(located)) => {
            let mut checkpoint = source::open_located(located)?;
            match transform.apply_to_damaged(&mut checkpoint.catalog) {
                Ok((transformed, _)) => {
                    Ok(Opened { checkpoint, transformed, skipped: Vec::new(), damaged: Some(damaged) })
                }
                // Without its object graph, or without any sound variable, even names are lost.
                Err(TransformError::Damaged(_)) => Err(TransformError::Damaged(damaged).into()),
                Err(error) => Err(error.into()),
            }
        }
        (opened, _) => opened,
    }
}

/// Returns the result for the first candidate that is sound, and the newer ones that are not. Errors of the map do not
/// lead to an older checkpoint.
pub(crate) fn first_sound<C, T>(
    candidates: &[C],
    stem: impl Fn(&C) -> OsString,
    mut open: impl FnMut(&C) -> Result<T, Error>,
) -> Result<(T, Vec<Skipped>), Error> {
    let mut damaged = Vec::new();
    for candidate in candidates {
        match open(candidate) {
            Ok(opened) => {
                let instead = stem(candidate);
                let skipped = |(stem, error)| Skipped { stem, instead: instead.clone(), error };
                return Ok((opened, damaged.into_iter().map(skipped).collect()));
            }
            Err(error) if error.is_damage() => damaged.push((stem(candidate), error)),
            Err(error) => return Err(damaged.into_iter().next().map_or(error, |(_, first)| first)),
        }
    }
    let first = damaged.into_iter().next().map(|(_, error)| error);
    Err(first.expect("there is a candidate"))
}

/// Adds the checkpoint to an error, and to one about damage another step that has sound values. `several` says that the error is
/// about one checkpoint of a directory, so that the flags need a command of their own.
pub(crate) fn advised(
    error: TransformError,
    checkpoint: &Checkpoint,
    directory: &Arc<Directory>,
    several: bool,
) -> TransformError {
    let prefix = &checkpoint.prefix;
    let path = prefix.path().display().to_string();
    let mut damaged = match error {
        TransformError::Damaged(damaged) => damaged,
        TransformError::Like(mut mismatch) => {
            mismatch.source = path;
            return TransformError::Like(mismatch);
        }
        error => return error,
    };
    damaged.path = path;
    let lost = (&checkpoint.catalog, damaged.variables.as_slice());
    let step = source::other_step(directory, &prefix.stem, lost);
    damaged.other_step = step.map(|step| step.display().to_string());
    if several {
        damaged.command = damaged.mount_command();
    }
    TransformError::Damaged(damaged)
}
