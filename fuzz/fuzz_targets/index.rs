//! An index is decoded or refused, and what was decoded is written so that it decodes to the same. Every block is
//! sealed with a good checksum first where there is one to be found, or the fuzzer would rarely get past it.
#![no_main]

use ckptfs::format::bundle::{Entry, Header};
use ckptfs::format::crc::Masked;
use ckptfs::format::table;
use ckptfs::format::varint::Reader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    check(file);
    if let Some(sealed) = sealed(file) {
        check(&sealed);
    }
});

fn check(file: &[u8]) {
    let Ok(rows) = table::decode(file) else { return };
    for row in &rows {
        let _ = Header::decode(&row.value);
        let _ = Entry::decode(&row.value);
    }
    let again = table::encode(rows.iter().map(|row| (&row.key[..], &row.value[..])));
    let decoded = table::decode(&again).expect("what was written decodes");
    assert!(
        decoded.iter().map(|row| (&row.key, &row.value)).eq(rows.iter().map(|row| (&row.key, &row.value)))
    );
}

/// The file with true checksums after the blocks that its footer names, and after one that begins the file and ends
/// where the metaindex begins.
fn sealed(file: &[u8]) -> Option<Vec<u8>> {
    let mut footer = Reader::new(file.get(file.len().checked_sub(48)?..)?);
    let handles = [footer.varint(), footer.varint(), footer.varint(), footer.varint()];
    let [meta, meta_len, index, index_len] = handles.map(|number| usize::try_from(number.ok()?).ok());
    let mut out = file.to_vec();
    seal(&mut out, 0, meta?.checked_sub(5)?)?;
    seal(&mut out, meta?, meta_len?)?;
    seal(&mut out, index?, index_len?)?;
    Some(out)
}

fn seal(file: &mut [u8], at: usize, len: usize) -> Option<()> {
    let end = at.checked_add(len)?.checked_add(1)?;
    let crc = Masked::of(file.get(at..end)?);
    file.get_mut(end..)?.get_mut(..4)?.copy_from_slice(&crc.0.to_le_bytes());
    Some(())
}
