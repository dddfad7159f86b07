//! The fuzz target for indexes: each is decoded or rejected, and a decoded index survives a round trip. Each input is
//! also tried with correct checksums after its blocks, if it has blocks, because the fuzzer rarely finds a correct
//! checksum.
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

/// Returns the file with correct checksums after the two blocks that its footer names, and after one data block,
/// which begins at the start of the file and ends at the metaindex block.
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
