//! A bot that says everything back: `cargo run --example echo_bot -- NAME PASSWORD HOST:PORT…`

use lastword_client::protocol::Code;
use lastword_client::{Client, Error, Event};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "echo".into());
    let password = arguments.next().unwrap_or_else(|| "echo echo".into());
    let (client, mut events) = Client::connect(arguments)?;
    match client.create(&name, &password).await {
        Err(error) if error.code() == Some(Code::NameTaken) => drop(client.login(&name, &password).await?),
        created => drop(created?),
    }
    client.listen().await?;
    while let Some(event) = events.next().await {
        if let Event::Message(message) = event {
            client.send(&message.from, &message.text).await?;
        }
    }
    Ok(())
}
