// SPDX-License-Identifier: Apache-2.0

/// Takes the rows: a beat when a credit is there, and gives it on a cycle later, when the memories
/// that `next_beat_o` asks answer.
///
/// The counter of credits holds everything apart that overlaps: it starts at the beats of a row,
/// each beat taken costs one, each beat of the model written gives one back. So the dot product of
/// the next row reads a beat of the model only after the update has written it, and finds the row
/// buffer's beat used.
module engine_intake #(
  /// Bits of the number of a beat.
  parameter int unsigned BeatWidth = 6,
  /// Bits of a beat of rows.
  parameter int unsigned RowWidth = 128,
  /// Bits of a record.
  parameter int unsigned RecordWidth = 32
) (
  /// Clock.
  input  logic                   clk_i,
  /// Asynchronous reset, active low.
  input  logic                   rst_ni,
  /// High to start a loop.
  input  logic                   start_i,
  /// High while the loop runs.
  input  logic                   looping_i,
  /// Rows to take.
  input  logic [31:0]            steps_i,
  /// Number of a row's last beat.
  input  logic [BeatWidth-1:0]   last_beat_i,
  /// High in a cycle in which the update writes a beat of the model.
  input  logic                   written_i,
  /// Beat of a row.
  input  logic [RowWidth-1:0]    s_axis_tdata,
  /// Record of the sample.
  input  logic [RecordWidth-1:0] s_axis_tuser,
  /// High if the beat is marked as a row's last.
  input  logic                   s_axis_tlast,
  /// High while a beat is offered.
  input  logic                   s_axis_tvalid,
  /// High when it is taken.
  output logic                   s_axis_tready,
  /// Number of the beat to be taken.
  output logic [BeatWidth-1:0]   next_beat_o,
  /// High in a cycle after one that took a beat.
  output logic                   valid_o,
  /// Number of that beat.
  output logic [BeatWidth-1:0]   beat_o,
  /// High if it is a row's last by number.
  output logic                   is_last_o,
  /// The beat.
  output logic [RowWidth-1:0]    row_o,
  /// Its record.
  output logic [RecordWidth-1:0] record_o,
  /// A beat was marked as last and was not, since the last start.
  output logic                   early_last_o,
  /// A last beat was not marked, since the last start.
  output logic                   no_last_o
);

  localparam int unsigned CreditsWidth = BeatWidth + 1;

  logic taken, is_last;
  logic [CreditsWidth-1:0] credits_q;
  logic [31:0] rows_q;

  assign s_axis_tready = looping_i & |credits_q & |rows_q;
  assign taken = s_axis_tvalid & s_axis_tready;

  beat_counter #(
    .Width(BeatWidth)
  ) u_beat (
    .clk_i,
    .rst_ni,
    .clear_i  (start_i),
    .enable_i (taken),
    .last_i   (last_beat_i),
    .beat_o   (next_beat_o),
    .next_o   (),
    .is_last_o(is_last)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      credits_q <= CreditsWidth'(0);
      rows_q <= 32'd0;
      early_last_o <= 1'b0;
      no_last_o <= 1'b0;
    end else if (start_i) begin
      credits_q <= CreditsWidth'(last_beat_i) + CreditsWidth'(1'b1);
      rows_q <= steps_i;
      early_last_o <= 1'b0;
      no_last_o <= 1'b0;
    end else begin
      if (taken & ~written_i) credits_q <= credits_q - CreditsWidth'(1'b1);
      if (~taken & written_i) credits_q <= credits_q + CreditsWidth'(1'b1);
      if (taken & is_last) rows_q <= rows_q - 32'd1;
      early_last_o <= early_last_o | (taken & s_axis_tlast & ~is_last);
      no_last_o <= no_last_o | (taken & ~s_axis_tlast & is_last);
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_o <= 1'b0;
      beat_o <= BeatWidth'(0);
      is_last_o <= 1'b0;
      row_o <= RowWidth'(0);
      record_o <= RecordWidth'(0);
    end else begin
      valid_o <= taken;
      beat_o <= next_beat_o;
      is_last_o <= is_last;
      row_o <= s_axis_tdata;
      record_o <= s_axis_tuser;
    end
  end

endmodule
