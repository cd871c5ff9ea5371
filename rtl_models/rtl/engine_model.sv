// SPDX-License-Identifier: Apache-2.0

/// The model, and who reads and writes it: the loop, what clears it, the host, and the stream that
/// sends it. One memory with one port for each way; the engine's order lets no two of them meet.
module engine_model
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
  /// Asynchronous reset, active low; it leaves the model.
  input  logic                   rst_ni,
  /// High if the update writes a beat.
  input  logic                   written_i,
  /// High to write zeros.
  input  logic                   clearing_i,
  /// Beat of either.
  input  logic [BeatWidth-1:0]   write_beat_i,
  /// What the update writes.
  input  logic [Width-1:0]       updated_i,
  /// High if the host writes a word.
  input  logic                   host_write_i,
  /// Its place.
  input  logic [WindowWidth-1:0] host_word_i,
  /// The word.
  input  logic [31:0]            host_data_i,
  /// Place of the word that the host reads.
  input  logic [WindowWidth-1:0] read_word_i,
  /// That word, a cycle later.
  output logic [31:0]            read_data_o,
  /// High while the loop reads, not the host.
  input  logic                   running_i,
  /// Beat that the loop reads.
  input  logic [BeatWidth-1:0]   row_beat_i,
  /// High while the stream reads, not the loop.
  input  logic                   sending_i,
  /// Beat that it reads.
  input  logic [BeatWidth-1:0]   send_beat_i,
  /// High when a beat was sent.
  output logic                   sent_o,
  /// The beat that was asked for a cycle ago.
  output logic [Width-1:0]       model_o,
  /// High while it is offered to the stream.
  output logic                   m_axis_tvalid,
  /// High when it is taken.
  input  logic                   m_axis_tready
);

  localparam int unsigned WordWidth = beat_word_width(Width);
  localparam int unsigned Words = word_count(Width);
  localparam int unsigned PartWidth = index_width(Words);

  logic [BeatWidth-1:0] read_beat;
  logic [PartWidth-1:0] read_part_q;
  logic sending_q;

  assign read_beat = sending_i ? send_beat_i : running_i ? row_beat_i :
      BeatWidth'(read_word_i >> WordWidth);

  window_memory #(
    .Width(Width),
    .Depth(Depth)
  ) u_memory (
    .clk_i,
    .host_write_i,
    .host_word_i,
    .host_data_i,
    .write_i     (written_i | clearing_i),
    .write_beat_i,
    .write_data_i(clearing_i ? Width'(0) : updated_i),
    .read_beat_i (read_beat),
    .read_data_o (model_o)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_part_q <= PartWidth'(0);
      sending_q   <= 1'b0;
    end else begin
      read_part_q <= WordWidth == 0 ? PartWidth'(0) : PartWidth'(read_word_i);
      sending_q   <= sending_i;
    end
  end

  assign read_data_o = 32'((WordBits * Words)'(model_o) >> (WordBits * 32'(read_part_q)));
  assign m_axis_tvalid = sending_q & sending_i;
  assign sent_o = m_axis_tvalid & m_axis_tready;

endmodule
