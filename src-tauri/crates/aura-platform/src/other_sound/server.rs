//! A connection to the sound server over PulseAudio's own protocol, which PipeWire speaks, too. The library's client has no commands for the
//! streams of others.

use std::ffi::{CStr, CString};
use std::io::{BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use pulseaudio::protocol::{
    AuthParams, AuthReply, ChannelVolume, Command, CommandReply, Descriptor, DescriptorFlags, MAX_VERSION, Prop, Props,
    ProtocolError, ServerInfo, SetClientNameReply, SetStreamVolumeParams, SinkInputInfo, Volume, read_ack_message,
    read_descriptor, read_reply_message, write_command_message, write_descriptor,
};

use super::remembered::{self, Remembered};

/// Longest wait for an answer of the server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// AURA's name, as all its connections to the server have it.
pub(super) const OWN_NAME: &CStr = c"AURA";

/// A connection that makes one request after the other. Every call blocks.
pub(super) struct Server {
    socket: BufReader<UnixStream>,
    version: u16,
    requests: u32,
}

impl Server {
    /// Connects to the server of this computer, if there is one.
    pub(super) fn connect() -> Result<Self, ProtocolError> {
        let path = pulseaudio::socket_path_from_env()
            .ok_or_else(|| ProtocolError::Invalid("there is no sound server".to_owned()))?;
        let socket = UnixStream::connect(path)?;
        socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        socket.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        let mut server = Self { socket: BufReader::new(socket), version: MAX_VERSION, requests: 0 };
        let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let auth = AuthParams { version: MAX_VERSION, supports_shm: false, supports_memfd: false, cookie };
        let AuthReply { version, .. } = server.ask(&Command::Auth(auth))?;
        server.version = version.min(MAX_VERSION);
        let mut props = Props::new();
        props.set(Prop::ApplicationName, OWN_NAME);
        let _: SetClientNameReply = server.ask(&Command::SetClientName(props))?;
        Ok(server)
    }

    /// A number that is another one after the server was started again.
    pub(super) fn cookie(&mut self) -> Result<u32, ProtocolError> {
        Ok(self.ask::<ServerInfo>(&Command::GetServerInfo)?.cookie)
    }

    /// Everything that is played.
    pub(super) fn streams(&mut self) -> Result<Vec<SinkInputInfo>, ProtocolError> {
        self.ask(&Command::GetSinkInputInfoList)
    }

    /// Sets the volume of each channel of a stream.
    pub(super) fn set_volume(&mut self, index: u32, channels: &[u32]) -> Result<(), ProtocolError> {
        let mut volume = ChannelVolume::empty();
        channels.iter().for_each(|raw| volume.push(Volume::from_u32_clamped(*raw)));
        self.send(&Command::SetSinkInputVolume(SetStreamVolumeParams { index, volume }))?;
        read_ack_message(&mut self.socket).map(drop)
    }

    /// The volumes that the server remembers for streams to come.
    pub(super) fn remembered(&mut self) -> Result<Vec<Remembered>, ProtocolError> {
        self.requests += 1;
        let request = remembered::read_request(self.requests);
        self.send_raw(&request)?;
        let length = read_descriptor(&mut self.socket)?.length;
        let mut reply = vec![0; length as usize];
        self.socket.read_exact(&mut reply)?;
        remembered::parse_reply(&reply)
            .ok_or_else(|| ProtocolError::Invalid("the server tells no remembered volumes".to_owned()))
    }

    /// Makes the server remember this, and use it for streams that run.
    pub(super) fn remember(&mut self, entry: &Remembered) -> Result<(), ProtocolError> {
        self.requests += 1;
        let request = remembered::write_request(self.requests, entry);
        self.send_raw(&request)?;
        read_ack_message(&mut self.socket).map(drop)
    }

    fn ask<T: CommandReply>(&mut self, command: &Command) -> Result<T, ProtocolError> {
        self.send(command)?;
        Ok(read_reply_message(&mut self.socket, self.version)?.1)
    }

    fn send(&mut self, command: &Command) -> Result<(), ProtocolError> {
        self.requests += 1;
        write_command_message(self.socket.get_mut(), self.requests, command, self.version)
    }

    fn send_raw(&mut self, payload: &[u8]) -> Result<(), ProtocolError> {
        let length = u32::try_from(payload.len()).map_err(|_| ProtocolError::Invalid("a long request".to_owned()))?;
        let descriptor = Descriptor { length, channel: u32::MAX, offset: 0, flags: DescriptorFlags::empty() };
        let mut message = Vec::new();
        write_descriptor(&mut message, &descriptor)?;
        message.extend_from_slice(payload);
        Ok(self.socket.get_mut().write_all(&message)?)
    }
}

/// A text property of a stream.
pub(super) fn property(props: &Props, name: &CStr) -> Option<String> {
    let value = CStr::from_bytes_until_nul(props.get_bytes(name)?).ok()?;
    CString::from(value).into_string().ok()
}
