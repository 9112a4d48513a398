//! Lines out of what a server has sent.

use std::ops::ControlFlow;

use lastword_protocol::{LINE_BYTES, ServerLine};

/// Takes all whole lines out of the buffer, up to one that can't be read: what follows it is not to be
/// trusted.
pub fn take_lines(buffer: &mut Vec<u8>) -> (Vec<ServerLine>, ControlFlow<()>) {
    let mut lines = Vec::new();
    let mut start = 0;
    while let Some(length) = buffer[start..].iter().position(|byte| *byte == b'\n') {
        let line = &buffer[start..start + length];
        start += length + 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match ServerLine::from_json(line) {
            Ok(line) if length <= LINE_BYTES => lines.push(line),
            _ => {
                tracing::warn!("a server sent something that is no answer: this is no Lastword server?");
                return (lines, ControlFlow::Break(()));
            }
        }
    }
    buffer.drain(..start);
    let flow = if buffer.len() > LINE_BYTES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    (lines, flow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_taken_whole_and_blank_ones_skipped() {
        let mut buffer = b"{\"event\":\"x\"}\n\r\n{\"id\":1,\"ok\":{}}\n{\"id\":2,".to_vec();
        let (lines, flow) = take_lines(&mut buffer);
        assert_eq!((lines.len(), flow, buffer.as_slice()), (2, ControlFlow::Continue(()), &b"{\"id\":2,"[..]));
    }

    #[test]
    fn nonsense_and_endless_lines_end_the_connection() {
        for bytes in [b"{\"id\":1,\"ok\":{}}\nHTTP/1.1 200 OK\n".to_vec(), vec![b'x'; LINE_BYTES + 1]] {
            assert_eq!(take_lines(&mut bytes.clone()).1, ControlFlow::Break(()));
        }
        assert_eq!(take_lines(&mut b"{\"id\":1,\"ok\":{}}\nno\n".to_vec()).0.len(), 1, "what came before counts");
    }
}
