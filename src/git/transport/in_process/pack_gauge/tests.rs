//! What is let through and what is not, however the bytes come.

use keytrail_domain::index_run::FailureCode;
use keytrail_test_support::pack_maker::{Delta, PackMaker, PackedKind};

use super::*;

const MEGABYTE: usize = 1024 * 1024;

/// What is said of a pack that comes in portions of so many bytes, with objects of differences up to two megabytes.
fn looked(pack: &[u8], portion: usize) -> Option<FailureCode> {
    let mut gauge = PackGauge::new(8 * MEGABYTE as u64 + PER_OBJECT * 10);
    pack.chunks(portion).try_for_each(|bytes| gauge.look(bytes)).err().and_then(|error| error.failure_code())
}

fn is(pack: &PackMaker, expected: Option<FailureCode>) {
    let pack = pack.clone().finish();
    for portion in [1, 7, 65_536, pack.len()] {
        assert_eq!(looked(&pack, portion), expected, "in portions of {portion}");
    }
}

#[test]
fn objects_and_differences_of_bounded_size_are_let_through_in_any_portions() {
    let mut pack = PackMaker::default();
    is(&pack, None);
    let at = pack.object(PackedKind::Blob, &[b'x'; 70_000]);
    pack.object(PackedKind::Blob, b"");
    pack.delta(at, &Delta::new(70_000, 3).insert(b"abc"));
    pack.delta_to(&"01".repeat(20), &Delta::new(3, 65_536).copy(65_536));
    is(&pack, None);
}

#[test]
fn what_a_difference_would_hold_is_bounded_at_both_of_its_ends() {
    let huge = 8 << 30;
    for delta in [Delta::new(3, huge), Delta::new(huge, 3)] {
        let mut pack = PackMaker::default();
        let at = pack.object(PackedKind::Blob, b"abc");
        pack.delta(at, &delta);
        is(&pack, Some(FailureCode::PackNeedsMemory));
        let mut pack = PackMaker::default();
        pack.delta_to(&"01".repeat(20), &delta);
        is(&pack, Some(FailureCode::PackNeedsMemory));
    }
}

#[test]
fn a_large_file_is_let_through_but_no_difference_that_may_be_to_it() {
    let large = vec![0; 3 * MEGABYTE];
    let mut pack = PackMaker::default();
    let at = pack.object(PackedKind::Blob, &large);
    is(&pack, None);
    let mut by_place = pack.clone();
    // It lies about the size of its base.
    by_place.delta(at, &Delta::new(3, 3).insert(b"abc"));
    is(&by_place, Some(FailureCode::PackNeedsMemory));
    let mut by_name = pack.clone();
    by_name.delta_to(&"01".repeat(20), &Delta::new(3, 3).insert(b"abc"));
    is(&by_name, Some(FailureCode::PackNeedsMemory));
    let mut before = PackMaker::default();
    before.delta_to(&"01".repeat(20), &Delta::new(3, 3).insert(b"abc"));
    before.object(PackedKind::Blob, &large);
    is(&before, Some(FailureCode::PackNeedsMemory));
}

#[test]
fn what_is_no_pack_is_damaged() {
    let mut pack = PackMaker::default();
    pack.claiming(PackedKind::Blob, 3, b"four");
    is(&pack, Some(FailureCode::CorruptPack));
    let mut pack = PackMaker::default();
    pack.claiming(PackedKind::Blob, 5, b"four");
    is(&pack, Some(FailureCode::CorruptPack));
    for bytes in [
        b"PACK\0\0\0\x04\0\0\0\x01".as_slice(),
        b"pack\0\0\0\x02\0\0\0\x01",
        b"PACK\0\0\0\x02\0\0\0\x01\x30not zlib at all",
        // A kind that there is not; a size of more than 64 bits; a base before the pack.
        b"PACK\0\0\0\x02\0\0\0\x01\x50",
        b"PACK\0\0\0\x02\0\0\0\x01\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"PACK\0\0\0\x02\0\0\0\x01\x61\x7f",
        b"PACK\0\0\0\x02\0\0\0\x01\x61\0",
    ] {
        assert_eq!(looked(bytes, 1), Some(FailureCode::CorruptPack), "{bytes:?}");
        assert_eq!(looked(bytes, 100), Some(FailureCode::CorruptPack), "{bytes:?}");
    }
}
