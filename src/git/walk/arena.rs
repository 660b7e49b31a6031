//! Bytes that are written once and read back once, in any order. Called by the records of a walk; it knows nothing of
//! what is in them. A stretch goes back to the system as soon as all of it was read: what is given back to the
//! allocator stays with the thread that had asked for it, and what comes after the walk needs the room.

use memmap2::MmapMut;

/// Bytes that are asked for at a time. A multiple of every page size; parts that were never written take no memory.
const STRETCH: usize = 256 * 1024;

/// Pieces of bytes by their place.
#[derive(Default)]
pub(super) struct Arena(Vec<Stretch>);

struct Stretch {
    /// `None` once everything was read.
    bytes: Option<MmapMut>,
    used: usize,
    /// Pieces that were not read yet.
    unread: usize,
}

impl Arena {
    /// Writes a piece behind the others; its place, or `None` when it would lie at `end` or beyond, is larger than a
    /// stretch, or the system has no memory.
    pub(super) fn add(&mut self, piece: &[u8], end: usize) -> Option<u32> {
        if self.0.last().is_none_or(|last| last.bytes.is_none() || last.used + piece.len() > STRETCH) {
            if piece.len() > STRETCH || (self.0.len() + 1) * STRETCH > end {
                return None;
            }
            self.0.push(Stretch { bytes: Some(MmapMut::map_anon(STRETCH).ok()?), used: 0, unread: 0 });
        }
        let before = (self.0.len() - 1) * STRETCH;
        let last = self.0.last_mut()?;
        let at = last.used;
        last.bytes.as_mut()?[at..at + piece.len()].copy_from_slice(piece);
        last.used += piece.len();
        last.unread += 1;
        u32::try_from(before + at).ok()
    }

    /// From the piece at this place on, to the end of what was written in its stretch; nothing of it once all were read.
    pub(super) fn get(&self, at: u32) -> &[u8] {
        let (stretch, at) = (at as usize / STRETCH, at as usize % STRETCH);
        let Some(Stretch { bytes: Some(bytes), used, .. }) = self.0.get(stretch) else { return &[] };
        &bytes[at..*used]
    }

    /// Says that the piece at this place will not be read again. Called once for each.
    pub(super) fn release(&mut self, at: u32) {
        if let Some(stretch) = self.0.get_mut(at as usize / STRETCH) {
            stretch.unread -= 1;
            if stretch.unread == 0 {
                stretch.bytes = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_back_in_any_order() {
        let mut arena = Arena::default();
        let pieces: Vec<Vec<u8>> = (0..200_u8).map(|n| vec![n; 1 + usize::from(n) * 40]).collect();
        let places: Vec<u32> = pieces.iter().map(|piece| arena.add(piece, 1 << 28).expect("room")).collect();
        assert!(arena.0.len() > 2, "more than one stretch");
        for (piece, place) in pieces.iter().zip(&places).rev() {
            assert_eq!(arena.get(*place)[..piece.len()], piece[..]);
            arena.release(*place);
        }
        assert!(arena.0.iter().all(|stretch| stretch.bytes.is_none()), "all of it was given back");
    }

    #[test]
    fn a_stretch_stays_until_the_last_of_its_pieces_was_read() {
        let mut arena = Arena::default();
        let places = [b"one", b"two"].map(|piece| arena.add(piece, 1 << 28).expect("room"));
        arena.release(places[0]);
        assert_eq!(arena.get(places[1]), b"two");
        arena.release(places[1]);
        assert_eq!(arena.get(places[1]), b"");
        let third = arena.add(b"three", 1 << 28).expect("a stretch of its own");
        assert_eq!(arena.get(third), b"three");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut arena = Arena::default();
        assert_eq!(arena.add(&[0; STRETCH + 1], 1 << 28), None);
        assert_eq!(arena.add(b"one", STRETCH - 1), None);
        assert_eq!(arena.add(&[0; STRETCH], STRETCH), Some(0));
        assert_eq!(arena.add(b"one", STRETCH), None);
    }
}
