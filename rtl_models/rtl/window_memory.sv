// SPDX-License-Identifier: Apache-2.0

/// A memory of beats that the engine reads, and writes beat by beat, while the host fills it word
/// by word through a window: the words of a beat side by side, a beat starting at a power of two.
module window_memory
  import bittrue_pkg::*;
#(
  /// Bits of a beat.
  parameter int unsigned Width = 128,
  /// Beats.
  parameter int unsigned Depth = 64,
  /// Dependent, do not change: bits of a beat's number.
  localparam int unsigned BeatWidth = index_width(Depth)
) (
  /// Clock.
  input  logic                   clk_i,
  /// High to write a word, which has to wait while a beat is written.
  input  logic                   host_write_i,
  /// Its place in the window.
  input  logic [WindowWidth-1:0] host_word_i,
  /// The word.
  input  logic [31:0]            host_data_i,
  /// High to write a beat.
  input  logic                   write_i,
  /// Its number.
  input  logic [BeatWidth-1:0]   write_beat_i,
  /// The beat.
  input  logic [Width-1:0]       write_data_i,
  /// Beat to read.
  input  logic [BeatWidth-1:0]   read_beat_i,
  /// The beat that was asked for a cycle ago; it has no reset.
  output logic [Width-1:0]       read_data_o
);

  localparam int unsigned Words = word_count(Width);
  localparam int unsigned WordWidth = beat_word_width(Width);
  localparam int unsigned PartWidth = index_width(Words);

  logic [PartWidth-1:0] part;
  logic [Words-1:0] host_parts;

  assign part = WordWidth == 0 ? PartWidth'(0) : PartWidth'(host_word_i);
  assign host_parts = host_write_i ? Words'(1) << part : Words'(0);

  beat_memory #(
    .Width(Width),
    .Depth(Depth),
    .PartWidth(Width < WordBits ? Width : WordBits)
  ) u_memory (
    .clk_i,
    .write_i        (write_i ? ~Words'(0) : host_parts),
    .write_address_i(write_i ? write_beat_i : BeatWidth'(host_word_i >> WordWidth)),
    .write_data_i   (write_i ? write_data_i : Width'({Words{host_data_i}})),
    .read_address_i (read_beat_i),
    .read_data_o
  );

endmodule
