//! Starts a PostgreSQL cluster for a test run, prints its URL and keeps it until its input ends.
//!
//! `scripts/test` puts the URL into `KEYTRAIL_TEST_POSTGRES`, so that all test binaries share one cluster.

fn main() {
    let cluster = keytrail_test_support::postgres::Cluster::start();
    println!("{}", cluster.url("postgres"));
    // Whatever comes, and a broken pipe too: it ends when nobody is there any more.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}
