//! The index and all that decides about it, against a model in memory: random histories of pushes, runs, links, rules,
//! persons, pauses and removals, with the server restarted and its views built anew in between. Every answer is foretold,
//! and after each step all that is shown. A history that fails is shrunk to a short one.

mod compared;
mod foretold;
mod stage;
mod wish;

use proptest::{
    collection::vec,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use self::{stage::Stage, wish::wishes};
use crate::server::{Server, as_usual, on_postgres_with, on_sqlite};

/// Histories of a seed that is drawn anew each time, each on a server of its own.
const NEW: u32 = 4;
/// Histories of each seed that is kept.
const KEPT: u32 = 2;
/// How often a history that failed is shortened.
const SHORTENED: u32 = 80;

async fn lived(server: Server, history: Vec<wish::Wish>) {
    let mut stage = Stage::set(server).await;
    stage.compare().await;
    for wish in &history {
        stage.carry_out(wish).await;
        stage.compare().await;
    }
    stage.is_the_same_when_built_anew().await;
}

/// Lives through histories of a new seed and of those that are kept. One that fails is said with its seed: add that to what
/// is kept.
fn the_index_does_what_a_model_of_it_does(kept: &[u64], on_a_server: fn(Vec<wish::Wish>)) {
    let drawn = u64::from_le_bytes(keytrail::ids::random_bytes());
    let kept = kept.iter().map(|seed| (*seed, KEPT));
    for (seed, cases) in kept.chain([(drawn, NEW)]) {
        let config = Config { cases, max_shrink_iters: SHORTENED, failure_persistence: None, ..Config::default() };
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed.to_le_bytes().repeat(4));
        let ran = TestRunner::new_with_rng(config, rng).run(&vec(wishes(), 1..40), |history| {
            on_a_server(history);
            Ok::<_, TestCaseError>(())
        });
        match ran {
            Ok(()) => {}
            Err(TestError::Fail(why, history)) => panic!("{why}\nof the seed {seed:#x}, after {history:#?}"),
            Err(TestError::Abort(why)) => panic!("given up with the seed {seed:#x}: {why}"),
        }
    }
}

// Another engine, another history.
mod sqlite {
    #[test]
    fn the_index_does_what_a_model_of_it_does() {
        super::the_index_does_what_a_model_of_it_does(&[0x0707_0707_0707_0707, 0xa685_6f24_fc6f_cf17], |history| {
            super::on_sqlite(|server| super::lived(server, history));
        });
    }
}

mod postgres {
    #[test]
    fn the_index_does_what_a_model_of_it_does() {
        super::the_index_does_what_a_model_of_it_does(&[0x0808_0808_0808_0808], |history| {
            super::on_postgres_with(super::as_usual, |server| super::lived(server, history));
        });
    }
}
