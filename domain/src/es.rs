//! Fits our aggregates to cqrs-es, so that its repositories can read our streams and its users feel at home.
//!
//! Only its vocabulary and its read seam are used; its snapshot and aggregate stores and its queries never are.

/// Gives an event enum its stored names. `Variant => "name" v "1"`; the match is exhaustive.
#[macro_export]
macro_rules! stored_events {
    ($event:ty { $($variant:ident => $name:literal v $version:literal),* $(,)? }) => {
        impl $crate::aggregate::StoredEvent for $event {
            const TYPES: &'static [(&'static str, &'static str)] = &[$(($name, $version)),*];

            fn name(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $name),* }
            }

            fn version(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $version),* }
            }
        }

        impl cqrs_es::DomainEvent for $event {
            fn event_type(&self) -> String {
                $crate::aggregate::StoredEvent::name(self).to_owned()
            }

            fn event_version(&self) -> String {
                $crate::aggregate::StoredEvent::version(self).to_owned()
            }
        }
    };
}

/// Lets cqrs-es handle an aggregate of ours: `handle` is `decide`, `apply` is `evolve`.
#[macro_export]
macro_rules! event_sourced {
    ($aggregate:ty) => {
        impl cqrs_es::Aggregate for $aggregate {
            const TYPE: &'static str = <Self as $crate::aggregate::Aggregate>::TYPE;
            type Command = $crate::stamped::Stamped<<Self as $crate::aggregate::Aggregate>::Command>;
            type Event = <Self as $crate::aggregate::Aggregate>::Event;
            type Error = <Self as $crate::aggregate::Aggregate>::Error;
            type Services = ();

            async fn handle(
                &mut self,
                command: Self::Command,
                _services: &(),
                sink: &cqrs_es::event_sink::EventSink<Self>,
            ) -> Result<(), Self::Error> {
                for event in $crate::aggregate::Aggregate::decide(self, command)? {
                    sink.write(event, self).await;
                }
                Ok(())
            }

            fn apply(&mut self, event: Self::Event) {
                $crate::aggregate::Aggregate::evolve(self, &event);
            }
        }
    };
}
